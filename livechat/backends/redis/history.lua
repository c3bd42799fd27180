-- What the scripts know of a room's stream.  An entry's id is the message's number
-- and "-0", its fields are t (time in milliseconds), i (tag) and m (text), in this order.

local function seq_of(entry)
    return tonumber(string.match(entry[1], '^%d+'))
end

local function time_of(entry)
    return tonumber(entry[2][2])
end

-- Lua would write large numbers as 1e+15.
local function digits(number)
    return string.format('%.0f', number)
end

-- The first entry from number `seq` on, or nil.
local function entry_from(stream, seq)
    return redis.call('XRANGE', stream, digits(seq), '+', 'COUNT', 1)[1]
end

-- The number of the first entry since `time`, or top + 1.  Times do not run backwards
-- within a room, but for stamps of a wrong clock; so it is looked for by halving.
local function first_since(stream, time, top)
    local first = entry_from(stream, 0)
    if not first then
        return top + 1
    end
    local low, high = seq_of(first), top + 1
    if time_of(first) >= time then
        return low
    end
    while low < high do
        local middle = math.floor((low + high) / 2)
        local entry = entry_from(stream, middle)
        if entry and time_of(entry) < time then
            low = seq_of(entry) + 1
        else
            high = middle
        end
    end
    return low
end

-- A room's numbering: number, time and tag of its newest message, and the word that was made
-- with it.  A numbering that began anew has another word, whatever its numbers are; one that
-- is older than words has ''.
--
-- A room without messages has its word in a key of its own, which ends after `lasts`
-- milliseconds.  A state that was lost without its stream is made anew, with another word.
local function numbering(stream, state, words, fresh, lasts)
    local known = redis.call('HMGET', state, 's', 't', 'i', 'w')
    if known[1] then
        return tonumber(known[1]), tonumber(known[2]), known[3] or '', known[4] or ''
    end
    local word = redis.call('GET', words)
    local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
    if newest then
        local top, time, tag = seq_of(newest), time_of(newest), newest[2][4]
        word = word or fresh
        redis.call('HSET', state, 's', digits(top), 't', digits(time), 'i', tag, 'w', word)
        redis.call('DEL', words)
        return top, time, tag, word
    end
    if not word then
        word = fresh
        redis.call('SET', words, word, 'PX', lasts)
    end
    return 0, 0, '', word
end

-- Milliseconds since 1970, by Redis's clock, which may be wrong.
local function clock()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- What an error of a command says, its code first: older Redis put the script's line before it.
local function said(problem)
    local text = type(problem) == 'table' and problem.err or tostring(problem)
    return string.match(text, '%u%u%u+ .*') or text
end
