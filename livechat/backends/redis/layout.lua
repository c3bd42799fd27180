-- Which layout of keys is in use.  A layout before this one is taken over, once: of the first,
-- which had no format, the keys are renamed; of others nothing but the format changes.
--
-- KEYS  the format; the processes; where the first layout may have been, its processes, and old
--       and new name of each key of it
-- ARGV  this layout's format; those of layouts that are taken over
-- Returns the format that is in use; '' while processes of a layout before are alive.

local function alive(processes)
    for _, process in ipairs(redis.call('ZRANGE', processes, 0, -1)) do
        if redis.call('EXISTS', process) == 1 then
            return true
        end
    end
    return false
end

local format = redis.call('GET', KEYS[1])
if format then
    for at = 2, #ARGV do
        if format == ARGV[at] then
            if alive(KEYS[2]) then
                return ''
            end
            redis.call('SET', KEYS[1], ARGV[1])
            return ARGV[1]
        end
    end
    return format
end
if #KEYS > 3 then
    if alive(KEYS[3]) then
        return ''
    end
    for at = 4, #KEYS, 2 do
        if redis.call('EXISTS', KEYS[at]) == 1 then
            redis.call('RENAMENX', KEYS[at], KEYS[at + 1])
        end
    end
    redis.call('DEL', KEYS[3])
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
