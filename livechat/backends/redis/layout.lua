-- Which layout of keys is in use.  The keys of the layout before this one are renamed, once.
--
-- KEYS  the format; the processes of the layout before; old and new name of each key
-- ARGV  this layout's format
-- Returns the format that is in use; '' while processes of the layout before are alive.

local format = redis.call('GET', KEYS[1])
if format then
    return format
end
if #KEYS > 2 then
    for _, process in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
        if redis.call('EXISTS', process) == 1 then
            return ''
        end
    end
    for at = 3, #KEYS, 2 do
        if redis.call('EXISTS', KEYS[at]) == 1 then
            redis.call('RENAMENX', KEYS[at], KEYS[at + 1])
        end
    end
    redis.call('DEL', KEYS[2])
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
