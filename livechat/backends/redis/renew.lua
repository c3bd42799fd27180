-- Begin a new generation, unless another process has.
--
-- KEYS  the generation, the channel on which processes are told
-- ARGV  the generation that ends, '' for none; the one that begins
-- Returns the generation that is in force.

local now = redis.call('GET', KEYS[1])
if now and now ~= ARGV[1] then
    return now
end
redis.call('SET', KEYS[1], ARGV[2])
-- It is done, whether others may be told of it or not.
redis.pcall('PUBLISH', KEYS[2], 'generation ' .. ARGV[2])
return ARGV[2]
