-- Put a whole shared map in the place of what is there, if that is still the version that the
-- process has seen; and tell all processes that there is another one.
--
-- KEYS  the map, as in `change.lua`
--       the draft: a hash of all its keys, without the version
--       the channel on which processes are told
-- ARGV  name     of the map
--       seen     the version that is replaced; '' if the map is not there
--       version  that of the draft
--       count    keys of the draft: it ends by itself where its process takes too long
-- Returns 1 if it was done.

local map, draft, control = KEYS[1], KEYS[2], KEYS[3]
local found = redis.call('HMGET', map, '')[1] or ''
if found ~= ARGV[2] or redis.call('HLEN', draft) ~= tonumber(ARGV[4]) then
    redis.call('UNLINK', draft)
    return 0
end
redis.call('HSET', draft, '', ARGV[3])
redis.call('PERSIST', draft)
redis.call('UNLINK', map)
redis.call('RENAMENX', draft, map)
redis.pcall('PUBLISH', control, 'shared ' .. ARGV[1])
return 1
