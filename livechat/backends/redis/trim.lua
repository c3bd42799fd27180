-- Remove entries of a room for their number or age, from the oldest to the first that stays.
--
-- KEYS  the room's stream, state, word and changed entries; all streams, by the time of their
--       newest entry; cursors (`holding.lua`)
-- ARGV  since  milliseconds; what is older is removed; 0: nothing is
--       most   entries that are removed for their age
--       limit  entries that are kept; 0: all
--       many   entries that are removed for their number, which costs less
--       fresh  a word, if the room's state was lost
--       lasts  as of `read.lua`
--       words  of `hold`, with any limit; '' if there are no receivers outside
--       generation
--              of the numbering
-- Returns how many were.
--
-- A stream of an earlier livechat ends by itself, by a clock that may be wrong, and is not among
-- all streams.  Here it becomes like the others.

local all, cursors = KEYS[5], KEYS[6]
local since, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local limit, many = tonumber(ARGV[3]), tonumber(ARGV[4])
-- Milliseconds after which a room is looked at again in which all is only held.
local AGAIN = 60000

local room = numbering(KEYS, ARGV[5], ARGV[6])
if ARGV[7] ~= '' and room.top > 0 then
    hold(room, cursors, ARGV[7], ARGV[8])
elseif ARGV[7] == '' and redis.call('HMGET', room.state, 'g')[1] then
    redis.call('HDEL', room.state, 'h', 'g')
    redis.call('DEL', cursors)
end
local stop = kept_from(room, math.huge, room.top)
local first, removed = first_kept(room), 0
if limit > 0 then
    removed = math.max(0, math.min(math.min(room.top - limit + 1, stop) - first, many))
    first = first + removed
end
local stays = entry_from(room, first)
if stays and time_of(stays) < since and seq_of(stays) < stop then
    stays = nil
    local old = 0
    for _, entry in ipairs(entries_from(room, first, most + 1, math.huge)) do
        if old == most or time_of(entry) >= since or seq_of(entry) >= stop then
            stays = entry
            break
        end
        old = old + 1
    end
    removed = removed + old
end
if room.hold then
    local shown = math.max(room.shown, limit > 0 and room.top - limit + 1 or 0)
    if since > 0 then
        shown = math.max(shown, room.time < since and room.top + 1 or first_since(room, since))
    end
    if shown > room.shown then
        redis.call('HSET', room.state, 'f', digits(shown))
    end
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
    -- A wrong clock has stamped those that stay, or receivers wait for them: until they are too old,
    -- or for a while, they hold no other room up.
    local next_look = seq_of(stays) >= stop and since + AGAIN or time_of(stays)
    redis.call('ZADD', all, digits(next_look), room.stream)
else
    redis.call('ZADD', all, 'NX', digits(time_of(newest)), room.stream)
end
return removed
