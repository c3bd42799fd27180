-- Begin a new generation, unless somebody has: what Redis has is not what it had.
--
-- KEYS  the generation, the channel on which processes are told
-- ARGV  the generation that was, '' if there was none; the one to be
-- Returns the one that is.

local now = redis.call('GET', KEYS[1]) or ''
if now ~= ARGV[1] then
    return now
end
redis.call('SET', KEYS[1], ARGV[2])
-- It is done, whether others may be told of it or not.
redis.pcall('PUBLISH', KEYS[2], 'generation ' .. ARGV[2])
return ARGV[2]
