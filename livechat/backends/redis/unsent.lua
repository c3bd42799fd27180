-- Entries of a room that a receiver outside was not told of.
--
-- KEYS  the room's stream, state, word and changed entries; cursors (`holding.lua`)
-- ARGV  words     of `hold`
--       generation
--                 of the numbering
--       receiver
--       limit     of entries; 0: only tell of them
--       bytes     of text, where the answer ends
--       fresh, lasts
--                 as of `read.lua`
-- Returns the word of the numbering; the numbers of the entry that the receiver was told of last,
-- of the newest, of the newest event, of the oldest that is kept and of the oldest that anybody
-- waits for; the time of the first entry that waits, or 0 if none does; entries, as `read.lua` has
-- them; and the cursor of the numbering before (`holding.lua`), or '' if there is none.

local receiver, limit, bytes = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local room = numbering(KEYS, ARGV[6], ARGV[7])
if room.top == 0 then
    return {room.word, 0, 0, 0, 1, 1, 0, {}, ''}
end
hold(room, KEYS[5], ARGV[1], ARGV[2])
local oldest, told = first_kept(room), told_of(room, receiver)
if not told then
    -- It is no receiver any more.
    return {room.word, room.top, room.top, room.event, oldest, room.hold, 0, {}, ''}
end
local found = {}
local start = math.max(told + 1, oldest)
if start <= room.top then
    found = entries_from(room, start, math.max(limit, 1), bytes)
end
local since = found[1] and time_of(found[1]) or 0
return {
    room.word, told, room.top, math.min(room.event, room.top), oldest, room.hold, since,
    limit > 0 and found or {}, redis.call('HMGET', KEYS[5], receiver .. '*')[1] or ''
}
