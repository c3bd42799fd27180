-- Replace a document, unless somebody has.
--
-- KEYS  the document, the channel on which processes are told
-- ARGV  what it was, '' if there was none; what it is to be; what they are told
-- Returns 1 if it is that now.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2])
-- It is done, whether others may be told of it or not.
redis.pcall('PUBLISH', KEYS[2], ARGV[3])
return 1
