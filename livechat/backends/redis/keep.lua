-- Have these receivers outside, if those are the ones that a process has seen; and tell all
-- processes.
--
-- KEYS  the receivers, the channel on which processes are told
-- ARGV  those that were seen, '' for none; those that are to be
-- Returns those that there are.

local found = redis.call('GET', KEYS[1]) or ''
if found ~= ARGV[1] then
    return found
end
redis.call('SET', KEYS[1], ARGV[2])
-- It is done, whether others may be told of it or not.
redis.pcall('PUBLISH', KEYS[2], 'receivers ' .. ARGV[2])
return ARGV[2]
