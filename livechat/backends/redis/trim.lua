-- Remove entries of a room for their number or age, from the oldest to the first that stays.
--
-- KEYS  the room's stream, state, word and changed entries; all streams, by the time of their
--       newest entry
-- ARGV  since  milliseconds; what is older is removed; 0: nothing is
--       most   entries that are removed for their age
--       limit  entries that are kept; 0: all
--       many   entries that are removed for their number, which costs less
--       fresh  a word, if the room's state was lost
--       lasts  as of `read.lua`
-- Returns how many were.
--
-- A stream of an earlier livechat ends by itself, by a clock that may be wrong, and is not among
-- all streams.  Here it becomes like the others.

local all = KEYS[5]
local since, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local limit, many = tonumber(ARGV[3]), tonumber(ARGV[4])

local room = numbering(KEYS, ARGV[5], ARGV[6])
local first, removed = first_kept(room), 0
if limit > 0 and first <= room.top - limit then
    removed = math.min(room.top - limit + 1 - first, many)
    first = first + removed
end
local stays = entry_from(room, first)
if stays and time_of(stays) < since then
    stays = nil
    local old = 0
    for _, entry in ipairs(entries_from(room, first, most + 1, math.huge)) do
        if old == most or time_of(entry) >= since then
            stays = entry
            break
        end
        old = old + 1
    end
    removed = removed + old
end
if not stays then
    redis.call('DEL', room.stream, room.changed)
    redis.call('ZREM', all, room.stream)
    forget_before(room, room.top + 1)
    return removed
end
if removed > 0 then
    redis.call('XTRIM', room.stream, 'MINID', stays[1])
    forget_before(room, seq_of(stays))
end
redis.call('PERSIST', room.stream)
local newest = redis.call('XREVRANGE', room.stream, '+', '-', 'COUNT', 1)[1] or stays
if time_of(newest) < since then
    -- A wrong clock has stamped those that stay: until they are too old they hold no other room up.
    redis.call('ZADD', all, digits(time_of(stays)), room.stream)
else
    redis.call('ZADD', all, 'NX', digits(time_of(newest)), room.stream)
end
return removed
