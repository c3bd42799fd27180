-- Remove messages of a room for their age, from the oldest to the first that stays.
--
-- KEYS  the room's stream; all streams, by the time of their newest message
-- ARGV  since  milliseconds; what is older is removed; 0: nothing is
--       most   messages that are removed
-- Returns how many were.
--
-- A stream of an earlier livechat ends by itself, by a clock that may be wrong, and is not among
-- all streams.  Here it becomes like the others.

local stream, all = KEYS[1], KEYS[2]
local since, most = tonumber(ARGV[1]), tonumber(ARGV[2])

local stays, removed = entry_from(stream, 0), 0
if stays and time_of(stays) < since then
    stays = nil
    for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', most + 1)) do
        if removed == most or time_of(entry) >= since then
            stays = entry
            break
        end
        removed = removed + 1
    end
end
if not stays then
    redis.call('DEL', stream)
    redis.call('ZREM', all, stream)
    return removed
end
if removed > 0 then
    redis.call('XTRIM', stream, 'MINID', stays[1])
end
redis.call('PERSIST', stream)
local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if time_of(newest) < since then
    -- A wrong clock has stamped those that stay: until they are too old they hold no other room up.
    redis.call('ZADD', all, digits(time_of(stays)), stream)
else
    redis.call('ZADD', all, 'NX', digits(time_of(newest)), stream)
end
return removed
