-- A page of a room's history.
--
-- KEYS  the room's stream, state, word and changed entries
-- ARGV  after   what follows this number
--       later   only what is later than this time in milliseconds; '': any
--       limit   of entries
--       bytes   of text, where the page ends
--       now     milliseconds, as far as Redis's clock is believed
--       keep    entries that are shown; 0: all
--       age     milliseconds for which they are; 0: for ever; -1: with what no history shows
--       fresh   a word, if the room has none
--       lasts   milliseconds for which that is kept while nothing is said
-- Returns the word of the numbering; number, time and tag of the newest entry; the number of the
-- newest event; the oldest number that is kept; and entries, each a number with fields of the
-- stream or a record.

local after, limit, bytes = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local keep, age = tonumber(ARGV[6]), tonumber(ARGV[7])

local room = numbering(KEYS, ARGV[8], ARGV[9])
local oldest
local since = tonumber(ARGV[5]) - age
if age > 0 and room.time < since then
    -- All are as old as the newest one, whatever a wrong clock has stamped.
    oldest = room.top + 1
elseif age > 0 then
    oldest = first_since(room, since)
else
    oldest = first_kept(room)
end
if keep > 0 then
    oldest = math.max(oldest, room.top - keep + 1)
end
-- What is before that is kept for receivers outside (`holding.lua`).
if age >= 0 then
    oldest = math.max(oldest, tonumber(redis.call('HMGET', room.state, 'f')[1] or 0))
end

local start = math.max(after + 1, oldest)
if ARGV[2] ~= '' then
    start = math.max(start, first_since(room, tonumber(ARGV[2]) + 1))
end
local found = entries_from(room, start, limit, bytes)
-- Entries may be changed without an event (`erase.lua`), the newest one too.
local event = math.min(room.event, room.top)
return {room.word, room.top, room.time, room.tag, event, oldest, found}
