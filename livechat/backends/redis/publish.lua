-- Store messages of one room under its next numbers, and tell the room.
--
-- KEYS  the room's stream, state and channel
-- ARGV  generation   of the numbering, for those who are told
--       deadline     milliseconds of Redis's clock after which nothing is stored; 0: none
--       now          milliseconds, or '' for Redis's clock
--       limit        messages that are kept; 0: all
--       age          milliseconds for which they are kept; 0: for ever
--       again        some of them may be stored already, since this time by Redis's
--                    clock; '': none
--       tag, text    of each message
-- Returns a number and a time for each message; nothing after the deadline; or -1 where
-- they may have been stored and trimmed since.
--
-- Scripts are not undone where they fail: so the stream comes first, the counter
-- second, and only then is anybody told.  A counter that was left behind is found out
-- by the next message, whose number is taken.

local stream, state, channel = KEYS[1], KEYS[2], KEYS[3]
local generation, deadline, again = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local limit, age = tonumber(ARGV[4]), tonumber(ARGV[5])

if deadline > 0 and clock('') > deadline then
    return {}
end
local known = redis.call('HMGET', state, 's', 't')
local top, time = tonumber(known[1] or 0), tonumber(known[2] or 0)
time = math.max(time, clock(ARGV[3]))

local stored = {}
if again then
    local first = top + 1
    for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1000)) do
        stored[entry[2][4]] = {seq_of(entry), time_of(entry)}
        first = seq_of(entry)
        if time_of(entry) < again then
            first = 1
            break
        end
    end
    for at = 7, #ARGV, 2 do
        -- It was looked for as far back as there is anything, and that is not far enough.
        if first > 1 and time >= again and top > 0 and not stored[ARGV[at]] then
            return -1
        end
    end
end

local function add(seq, tag, text)
    local fields = {'t', digits(time), 'i', tag, 'm', text}
    if limit > 0 then
        return redis.pcall('XADD', stream, 'MAXLEN', digits(limit), digits(seq) .. '-0', unpack(fields))
    end
    return redis.pcall('XADD', stream, digits(seq) .. '-0', unpack(fields))
end

local answer, news = {}, {}
for at = 7, #ARGV, 2 do
    local tag, text = ARGV[at], ARGV[at + 1]
    local found = stored[tag]
    if not found then
        local added = add(top + 1, tag, text)
        if type(added) == 'table' and added.err then
            local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
            if not newest or seq_of(newest) <= top then
                return added
            end
            top, time = seq_of(newest), math.max(time, time_of(newest))
            added = add(top + 1, tag, text)
            if type(added) == 'table' and added.err then
                return added
            end
        end
        top = top + 1
        found = {top, time}
        news[#news + 1] = {digits(top), digits(time), tag, text}
    end
    answer[#answer + 1] = found[1]
    answer[#answer + 1] = found[2]
end

if #news > 0 then
    redis.call('HSET', state, 's', digits(top), 't', digits(time), 'i', news[#news][3])
    if age > 0 then
        redis.call('PEXPIRE', stream, digits(age))
        local since = clock(ARGV[3]) - age
        local oldest = entry_from(stream, 0)
        if oldest and time_of(oldest) < since then
            redis.call('XTRIM', stream, 'MINID', digits(first_since(stream, since, top)))
        end
    end
end
for _, each in ipairs(news) do
    redis.call('PUBLISH', channel, generation .. ' ' .. table.concat(each, ' '))
end
return answer
