-- A receiver outside was told of entries of a room.
--
-- KEYS  the room's stream, state, word and changed entries; cursors (`holding.lua`)
-- ARGV  words     of `hold`
--       generation
--                 of the numbering
--       receiver
--       word      of the numbering that the number is of
--       seq       of the newest entry that it was told of
-- Returns 1 if it was not known before.  A cursor never goes back by this.

local receiver, word, seq = ARGV[3], ARGV[4], tonumber(ARGV[5])
local known = redis.call('HMGET', KEYS[2], 's', 'w')
if not known[1] or (known[2] or '') ~= word then
    return 0
end
local room = numbering(KEYS, '', '1')
hold(room, KEYS[5], ARGV[1], ARGV[2])
local told = told_of(room, receiver)
seq = math.min(seq, room.top)
if not told or seq <= told then
    return 0
end
tell_up_to(room, receiver, seq, ARGV[2])
redis.call('HDEL', room.cursors, receiver .. '*')
local least = seq
local cursors = redis.call('HGETALL', room.cursors)
for at = 1, #cursors, 2 do
    if string.sub(cursors[at], -1) ~= '*' then
        least = math.min(least, tonumber(string.match(cursors[at + 1], '^%S+ %S* (%d+) ')))
    end
end
if least + 1 > room.hold then
    hold_from(room, least + 1)
end
return 1
