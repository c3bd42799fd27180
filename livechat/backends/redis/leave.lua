-- Rooms have nothing any more that waits for receivers outside, unless a process has entered them
-- anew.
--
-- KEYS  the rooms that have; the marks under which they were entered last
-- ARGV  a room and the mark that was seen, in turn
-- Returns nothing.

for at = 1, #ARGV, 2 do
    if (redis.call('HMGET', KEYS[2], ARGV[at])[1] or '') == ARGV[at + 1] then
        redis.call('ZREM', KEYS[1], ARGV[at])
        redis.call('HDEL', KEYS[2], ARGV[at])
    end
end
return {}
