-- What the scripts that store share.

-- What is known of the act that used a nonce: number, time, tag, digest; or why it is not.
-- An act of another numbering is lost, and is to be done again.
local function used(nonce, word)
    local value = redis.pcall('GET', nonce)
    if not value then
        return nil
    end
    if type(value) == 'table' then
        return {broken = said(value)}
    end
    local seq, when, tag, digest, numbered =
        string.match(value, '^(%d+) (%d+) (%S+) (%S+) ?(%S*)$')
    if numbered ~= word then
        return nil
    end
    return {seq = tonumber(seq), time = tonumber(when), tag = tag, digest = digest}
end

local function remember(nonce, known, word, lasts)
    local value = {digits(known.seq), digits(known.time), known.tag, known.digest, word}
    redis.pcall('SET', nonce, table.concat(value, ' '), 'PX', lasts)
end

-- What was stored since the time `again`, by tag; and whether that is as far back as there ever
-- was anything.
local function stored_since(room, again)
    local found = {}
    local start = math.max(first_kept(room), room.top - 999)
    local complete = start <= 1
    for _, entry in ipairs(entries_from(room, start, 2000, math.huge)) do
        complete = complete or time_of(entry) < again
        found[tag_of(entry)] = entry
    end
    return found, complete
end

-- Redis's answer to the adding of the entry behind the newest.  What is above `limit` is trimmed.
local function add(room, limit, fields)
    local seq = room.top + 1
    if limit > 0 and seq > limit then
        local first = digits(kept_from(room, seq - limit + 1, seq))
        return redis.pcall(
            'XADD', room.stream, 'MINID', first, digits(seq) .. '-0', unpack(fields)
        )
    end
    return redis.pcall('XADD', room.stream, digits(seq) .. '-0', unpack(fields))
end

-- The room has new entries, with which its numbering may have begun.
local function advance(room, begins, limit, idle)
    redis.pcall(
        'HSET', room.state, 's', digits(room.top), 't', digits(room.time), 'i', room.tag
    )
    if begins then
        redis.pcall('HSET', room.state, 'w', room.word)
        redis.pcall('DEL', room.words)
    end
    if limit > 0 then
        forget_before(room, kept_from(room, room.top - limit + 1, room.top))
        if room.hold and room.top - limit + 1 > room.shown then
            redis.pcall('HSET', room.state, 'f', digits(room.top - limit + 1))
        end
    end
    if redis.pcall('ZADD', idle, digits(room.time), room.stream) == 1 then
        -- A stream of an earlier livechat ends by itself.
        redis.pcall('PERSIST', room.stream)
    end
end
