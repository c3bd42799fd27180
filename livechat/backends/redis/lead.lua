-- Lead the sweep, or go on leading it, unless another process does.
--
-- KEYS  the lease
-- ARGV  the process; milliseconds for which it leads unless it asks again
-- Returns 1 if it leads.

local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
