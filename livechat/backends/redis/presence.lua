-- Say who is in a room at one process.
--
-- KEYS  who is in the room, by process; the room's channel; its word while it has no message
-- ARGV  process  its name
--       share    who is there; '': nobody
--       lasts    milliseconds for which it is kept unless it is said again
--       numbers  milliseconds for which the word is
--       tell     '1': the room is told; '': it was told before

if ARGV[2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
if ARGV[5] == '1' then
    redis.call('PUBLISH', KEYS[2], 'company ' .. ARGV[1] .. ' ' .. ARGV[2])
end
return 1
