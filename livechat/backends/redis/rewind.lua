-- Tell a receiver outside again of what was stored in a room since some time.
--
-- KEYS  the room's stream, state, word and changed entries; cursors (`holding.lua`)
-- ARGV  words     of `hold`
--       generation
--                 of the numbering
--       receiver
--       since     milliseconds
-- Returns 1 if it is told of something again.

local room = numbering(KEYS, '', '1')
if room.top == 0 then
    return 0
end
hold(room, KEYS[5], ARGV[1], ARGV[2])
local seq = math.max(first_since(room, tonumber(ARGV[4])), first_kept(room)) - 1
local told = told_of(room, ARGV[3])
if not told or seq >= told then
    return 0
end
tell_up_to(room, ARGV[3], seq, ARGV[2])
if seq + 1 < room.hold then
    hold_from(room, seq + 1)
end
return 1
