-- How much of a room is only kept for receivers outside; or give some of it up.
--
-- KEYS  the room's stream, state, word and changed entries
-- ARGV  first  the oldest number that is held from now on; '': that stays
-- Returns the oldest number that is held, how many entries are only held, and their bytes, about.

-- Bytes that an entry has beside its text.
local BESIDE = 100

local known = redis.call('HMGET', KEYS[2], 's', 'h', 'f')
if not known[1] or not known[2] then
    return {0, 0, 0}
end
local room = numbering(KEYS, '', '1')
room.hold = tonumber(known[2])
local shown = tonumber(known[3] or 0)
if ARGV[1] ~= '' and tonumber(ARGV[1]) > room.hold then
    room.hold = math.min(tonumber(ARGV[1]), shown)
    redis.call('HSET', room.state, 'h', digits(room.hold))
    redis.call('XTRIM', room.stream, 'MINID', digits(room.hold))
    forget_before(room, room.hold)
end
local first = math.max(room.hold, first_kept(room))
local held = math.max(0, shown - first)
if held == 0 then
    return {first, 0, 0}
end
-- The next ones are as long as these, about.
local bytes, some = 0, entries_from(room, first, 20, math.huge)
for _, entry in ipairs(some) do
    bytes = bytes + size_of(entry) + BESIDE
end
return {first, held, math.ceil(bytes * held / math.max(1, #some))}
