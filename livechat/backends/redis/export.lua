-- Entries of a room, as an export has them: all that are kept, but for those that are only kept
-- for receivers outside.
--
-- KEYS  the room's stream, state, word and changed entries
-- ARGV  start   the number to begin with; 0: the oldest that is kept
--       limit   of entries
--       bytes   of text, where the answer ends
--       fresh, lasts
--               as of `read.lua`
-- Returns the word of the numbering; number and time of the newest entry; the number of the newest
-- event; the oldest number that is kept; and entries, as `read.lua` has them.

local start, limit, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local room = numbering(KEYS, ARGV[4], ARGV[5])
local oldest = math.max(first_kept(room), tonumber(redis.call('HMGET', room.state, 'f')[1] or 0))
local found = entries_from(room, math.max(start, oldest), limit, bytes)
return {room.word, room.top, room.time, math.min(room.event, room.top), oldest, found}
