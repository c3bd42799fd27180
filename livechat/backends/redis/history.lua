-- What the scripts know of a room's stream.  An entry's id is the entry's number and "-0", its
-- fields are t (time in milliseconds), i (tag) and m (text), in this order; then, maybe, u (user),
-- k (kind) and x (the rest, as JSON).
--
-- Entries of a stream cannot be rewritten.  So entries that were changed, and their neighbours
-- (`amend.lua`), are records in a hash, under their numbers: time, tag and three sizes, a blank
-- behind each; then a user, the rest and a text, in the scripts' words U/K/X: the size of the
-- user, the kind, and the size of the rest.  Here an entry is a pair, of an id and of fields or a
-- record.  The newest entry of a room is always in the stream.

local function seq_of(entry)
    return tonumber(string.match(entry[1], '^%d+'))
end

local function time_of(entry)
    local kept = entry[2]
    return tonumber(type(kept) == 'string' and string.match(kept, '^%d+') or kept[2])
end

local function tag_of(entry)
    local kept = entry[2]
    return type(kept) == 'string' and string.match(kept, '^%d+ (%S*)') or kept[4]
end

local function size_of(entry)
    local kept = entry[2]
    return type(kept) == 'string' and #kept or #kept[6]
end

-- Lua would write large numbers as 1e+15.
local function digits(number)
    return string.format('%.0f', number)
end

-- A room's keys and numbering: number, time and tag of its newest entry (top, time, tag), and the
-- word that was made with it.  A numbering that began anew has another word, whatever its numbers
-- are; one that is older than words has ''.
--
-- `event` is the number of the newest event, or 0.  Where an event is kept, `oldest` is the oldest
-- number that is, which the stream alone does not say, and any number may be in the hash.
-- Otherwise `oldest` is nil, and nothing is in the hash.
--
-- A room without entries has its word in a key of its own, which ends after `lasts`
-- milliseconds.  A state that was lost without its stream is made anew, with another word.
local function numbering(keys, fresh, lasts)
    local room = {
        stream = keys[1], state = keys[2], words = keys[3], changed = keys[4],
        top = 0, time = 0, tag = '', event = 0
    }
    local known = redis.call('HMGET', room.state, 's', 't', 'i', 'w', 'e')
    if known[1] then
        room.top, room.time = tonumber(known[1]), tonumber(known[2])
        room.tag, room.word = known[3] or '', known[4] or ''
        if known[5] then
            room.event = tonumber(known[5])
            local oldest = tonumber(redis.call('HMGET', room.state, 'o')[1] or 0)
            room.oldest = room.event >= oldest and oldest or nil
        end
        return room
    end
    room.word = redis.call('GET', room.words)
    local newest = redis.call('XREVRANGE', room.stream, '+', '-', 'COUNT', 1)[1]
    if newest then
        room.top, room.time, room.tag = seq_of(newest), time_of(newest), tag_of(newest)
        room.word = room.word or fresh
        -- The newest event is not looked for: it may be any.
        room.event = room.top
        room.oldest = seq_of(redis.call('XRANGE', room.stream, '-', '+', 'COUNT', 1)[1])
        for _, seq in ipairs(redis.call('HKEYS', room.changed)) do
            room.oldest = math.min(room.oldest, tonumber(seq))
        end
        redis.call(
            'HSET', room.state, 's', digits(room.top), 't', digits(room.time), 'i', room.tag,
            'w', room.word, 'e', digits(room.event), 'o', digits(room.oldest)
        )
        redis.call('DEL', room.words)
        return room
    end
    if not room.word then
        room.word = fresh
        redis.call('SET', room.words, fresh, 'PX', lasts)
    end
    return room
end

-- The first entry from number `seq` on, or nil.
local function entry_from(room, seq)
    local entry = redis.call('XRANGE', room.stream, digits(seq), '+', 'COUNT', 1)[1]
    if room.oldest and seq < room.event and not (entry and seq_of(entry) == seq) then
        local kept = redis.call('HMGET', room.changed, digits(seq))[1]
        if kept then
            return {digits(seq) .. '-0', kept}
        end
    end
    return entry
end

-- The oldest number that is kept, or top + 1.
local function first_kept(room)
    if room.oldest then
        return room.oldest
    end
    local first = entry_from(room, 0)
    return first and seq_of(first) or room.top + 1
end

-- Entries from number `start` on: so many at most, and no more of them where they have more bytes.
-- An entry that was lost without its room is there as one that is gone, so that none is missing.
local function entries_from(room, start, limit, bytes)
    local found = {}
    local function more()
        return #found < limit and bytes > 0
    end
    local function take(entry)
        found[#found + 1] = entry
        bytes = bytes - size_of(entry)
        start = seq_of(entry) + 1
    end
    local function take_changed(last)
        while start <= last and more() do
            local seqs = {}
            for seq = start, math.min(last, start + math.min(limit - #found, 100) - 1) do
                seqs[#seqs + 1] = digits(seq)
            end
            for at, kept in ipairs(redis.call('HMGET', room.changed, unpack(seqs))) do
                if more() then
                    take({seqs[at] .. '-0', kept or digits(room.time) .. '  0/3/0 '})
                end
            end
        end
    end
    while more() do
        local count = math.min(limit - #found, 20)
        local some = redis.call('XRANGE', room.stream, digits(start), '+', 'COUNT', count)
        for _, entry in ipairs(some) do
            if room.oldest then
                take_changed(seq_of(entry) - 1)
            end
            if more() then
                take(entry)
            end
        end
        if #some < count then
            break
        end
    end
    if room.oldest then
        take_changed(room.top)
    end
    return found
end

-- The number of the first entry since `time`, or top + 1.  Times do not run backwards
-- within a room, but for stamps of a wrong clock; so it is looked for by halving.
local function first_since(room, time)
    local first = entry_from(room, room.oldest or 0)
    if not first then
        return room.top + 1
    end
    local low, high = seq_of(first), room.top + 1
    if time_of(first) >= time then
        return low
    end
    while low < high do
        local middle = math.floor((low + high) / 2)
        local entry = entry_from(room, middle)
        if entry and time_of(entry) < time then
            low = seq_of(entry) + 1
        else
            high = middle
        end
    end
    return low
end

-- Nothing before number `first` is kept any more, in the hash and in the state.
local function forget_before(room, first)
    if not room.oldest or room.oldest >= first then
        return
    end
    local seqs = {}
    if first - room.oldest > 1000 then
        for _, seq in ipairs(redis.pcall('HKEYS', room.changed)) do
            if tonumber(seq) < first then
                seqs[#seqs + 1] = seq
            end
        end
    else
        for seq = room.oldest, first - 1 do
            seqs[#seqs + 1] = digits(seq)
        end
    end
    for at = 1, #seqs, 1000 do
        redis.pcall('HDEL', room.changed, unpack(seqs, at, math.min(#seqs, at + 999)))
    end
    room.oldest = first
    redis.pcall('HSET', room.state, 'o', digits(first))
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
