-- Make a room of the entries that an import has gathered, unless there is one.
--
-- KEYS  the room's stream, state, word and changed entries; the gathered stream
-- ARGV  word    of the numbering
--       top     the number of the newest entry
--       time    of that, in milliseconds
--       tag     of that
--       oldest  the oldest number that is kept
--       event   the number of the newest event; 0: there never was one
-- Returns 1 if it was made.

local stream, state, words, changed, draft = unpack(KEYS)
local word, top, time, tag, oldest, event = unpack(ARGV)
if redis.call('EXISTS', stream, state, changed) > 0 then
    redis.call('DEL', draft)
    return 0
end
if redis.call('EXISTS', draft) == 1 then
    redis.call('RENAMENX', draft, stream)
    redis.call('PERSIST', stream)
end
redis.call('HSET', state, 's', top, 't', time, 'i', tag, 'w', word)
if event ~= '0' then
    redis.call('HSET', state, 'e', event, 'o', oldest)
end
redis.call('DEL', words)
return 1
