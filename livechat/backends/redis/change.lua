-- Change a key of a shared map, and tell all processes (`livechat.backends.redis.map_version`).
--
-- KEYS  the map, a hash: under each key when it ends, a blank and its value; under '' the version
--       the channel on which processes are told
-- ARGV  name    of the map, for those who are told
--       copy    the version that the process knows; '' if none
--       word    of the version, if the map begins now
--       tag     of the change
--       most    keys that it holds
--       now     seconds since 1970, as far as Redis's clock is believed
--       key
--       entry   when it ends (0: never), a blank and its value; '': it is removed
--       expect  '': any; '-': there must be no value; else '=' and the value that must be there
--       ...     keys that are over, as far as the process knows
-- Returns a verdict, and what processes were told: of the change, and of keys that were removed
-- because they are over.  Verdicts:
--        1  it was changed
--        2  there was nothing to remove
--        0  the key has another value than expected
--       -1  there is no room for it
--       -2  the process knows changes that are not here: it has to put them back first

local map, control = KEYS[1], KEYS[2]
local name, copy, word, tag = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local most, now = tonumber(ARGV[5]), tonumber(ARGV[6])
local key, entry, expect = ARGV[7], ARGV[8], ARGV[9]

local function parsed(version)
    local itsword, number, itstag, former = string.match(version or '', '^(%S+) (%d+) (%S+)(.*)$')
    if itsword then
        return {word = itsword, number = tonumber(number), tag = itstag, former = former}
    end
end

-- Whether a process with this copy knows changes that are not in the map.
local function lacks(version, known)
    if not known then
        return false
    end
    if not version then
        return true
    end
    if known.word ~= version.word then
        return not string.find(version.former .. ' ', ' ' .. known.word .. ' ', 1, true)
    end
    return version.number < known.number
        or (version.number == known.number and version.tag ~= known.tag)
end

-- The value of an entry that is not over.
local function value_of(kept)
    local ends, value = string.match(kept or '', '^(%d+) (.*)$')
    if ends and (ends == '0' or tonumber(ends) > now) then
        return value
    end
end

local found = redis.call('HMGET', map, '', key)
local version, before = parsed(found[1]), found[2]
if lacks(version, parsed(copy)) then
    return {-2, ''}
end
local current = value_of(before)
if expect ~= '' and (current and '=' .. current or '-') ~= expect then
    return {0, ''}
end
if entry == '' and not before then
    return {2, ''}
end
local over = {}
if entry ~= '' then
    for at = 10, #ARGV do
        local kept = redis.call('HMGET', map, ARGV[at])[1]
        if kept and not value_of(kept) and ARGV[at] ~= key then
            over[#over + 1] = ARGV[at]
        end
    end
    if not before and redis.call('HLEN', map) - (version and 1 or 0) - #over >= most then
        return {-1, ''}
    end
end
local last = '-'
local number, former = 1, ''
if version then
    word, number, former, last = version.word, version.number + 1, version.former, version.tag
end
local made = {word, digits(number), tag}
-- First: no change may be without its version.
redis.call('HSET', map, '', table.concat(made, ' ') .. former)
if entry == '' then
    redis.call('HDEL', map, key)
else
    redis.call('HSET', map, key, entry)
end
local lengths, keys = {digits(#key)}, {key}
for _, each in ipairs(over) do
    redis.call('HDEL', map, each)
    lengths[#lengths + 1] = digits(#each)
    keys[#keys + 1] = each
end
local news = table.concat({last, made[1], made[2], made[3], table.concat(lengths, ','),
    table.concat(keys) .. entry}, ' ')
-- It is done, whether others may be told of it or not.
redis.pcall('PUBLISH', control, table.concat({'shared', name, news}, ' '))
return {1, news}
