-- A page of a room's history.
--
-- KEYS  the room's stream, state and word
-- ARGV  after   what follows this number
--       later   only what is later than this time in milliseconds; '': any
--       limit   of entries
--       bytes   of text, where the page ends
--       now     milliseconds, as far as Redis's clock is believed
--       keep    messages that are shown; 0: all
--       age     milliseconds for which they are; 0: for ever
--       fresh   a word, if the room has none
--       lasts   milliseconds for which that is kept while nothing is said
-- Returns the word of the numbering; number, time and tag of the newest message; the oldest
-- number that is kept; and entries of the stream.

local stream, state, words = KEYS[1], KEYS[2], KEYS[3]
local after, limit, left = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local keep, age = tonumber(ARGV[6]), tonumber(ARGV[7])

local top, time, tag, word = numbering(stream, state, words, ARGV[8], ARGV[9])
local oldest
local since = tonumber(ARGV[5]) - age
if age > 0 and time < since then
    -- All are as old as the newest one, whatever a wrong clock has stamped.
    oldest = top + 1
elseif age > 0 then
    oldest = first_since(stream, since, top)
else
    local first = entry_from(stream, 0)
    oldest = first and seq_of(first) or top + 1
end
if keep > 0 then
    oldest = math.max(oldest, top - keep + 1)
end

local start = math.max(after + 1, oldest)
if ARGV[2] ~= '' then
    start = math.max(start, first_since(stream, tonumber(ARGV[2]) + 1, top))
end
local found = {}
while limit > 0 and left > 0 do
    local some = redis.call('XRANGE', stream, digits(start), '+', 'COUNT', math.min(limit, 20))
    for _, entry in ipairs(some) do
        if left > 0 then
            found[#found + 1] = entry
            left = left - #entry[2][6]
            start = seq_of(entry) + 1
        end
    end
    limit = limit - #some
    if #some < 20 then
        break
    end
end
return {word, top, time, tag, oldest, found}
