-- Change a key of a shared map, and tell all processes.
--
-- KEYS  the map, a hash: under each key when it ends, a blank and its value; under '' the version
--       the channel on which processes are told
-- ARGV  name    of the map, for those who are told
--       word    of the version, if the map begins now
--       most    keys that it holds
--       now     seconds since 1970, as far as Redis's clock is believed
--       key
--       entry   when it ends (0: never), a blank and its value; '': it is removed
--       expect  '': any; '-': there must be no value; else '=' and the value that must be there
--       ...     keys that are over, as far as the process knows
-- Returns a verdict, and the version: its word and a number.  The verdict is 1 if the key is as
-- asked for now, 0 if it has another value than expected, -1 if there is no room for it.

local map, control = KEYS[1], KEYS[2]
local name, word, most, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local key, entry, expect = ARGV[5], ARGV[6], ARGV[7]

local found = redis.call('HMGET', map, '', key)
local version, before = found[1], found[2]
local number = 0
if version then
    word, number = string.match(version, '^(%S+) (%d+)$')
    number = tonumber(number)
end

-- The value of an entry that is not over.
local function value_of(kept)
    local ends, value = string.match(kept or '', '^(%d+) (.*)$')
    if ends and (ends == '0' or tonumber(ends) > now) then
        return value
    end
end

local current = value_of(before)
if expect ~= '' and (current and '=' .. current or '-') ~= expect then
    return {0, word, number}
end
if entry == '' and not before then
    return {1, word, number}
end
if entry ~= '' and not before then
    for at = 8, #ARGV do
        local kept = redis.call('HMGET', map, ARGV[at])[1]
        if kept and not value_of(kept) then
            redis.call('HDEL', map, ARGV[at])
        end
    end
    local held = redis.call('HLEN', map)
    if held - (version and 1 or 0) >= most then
        return {-1, word, number}
    end
end
number = number + 1
version = word .. ' ' .. digits(number)
if entry == '' then
    redis.call('HSET', map, '', version)
    redis.call('HDEL', map, key)
else
    redis.call('HSET', map, '', version, key, entry)
end
-- It is done, whether others may be told of it or not.
local news = {'map', name, version, digits(#key), key .. entry}
redis.pcall('PUBLISH', control, table.concat(news, ' '))
return {1, word, number}
