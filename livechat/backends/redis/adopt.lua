-- Make a shared map of a document of the version before, unless the map is there.
--
-- KEYS  the map, a hash as `change.lua` has it
--       the document
--       the channel on which processes are told
-- ARGV  name   of the map, for those who are told
--       word   of its version
--       lasts  milliseconds for which the document is kept, for processes of the version before
--       key, entry
--              of each key
-- Returns 1 if the map was made.

local map, document, control = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', map) == 1 then
    return 0
end
for at = 4, #ARGV, 2 do
    redis.call('HSET', map, ARGV[at], ARGV[at + 1])
end
local version = ARGV[2] .. ' 1'
redis.call('HSET', map, '', version)
redis.call('PEXPIRE', document, ARGV[3])
redis.pcall('PUBLISH', control, 'map ' .. ARGV[1] .. ' ' .. version .. ' 0 ')
return 1
