-- What is kept of a room for receivers outside, though no history shows it.
--
-- A hash beside the room has a cursor for each of them: generation, word, number and tag of the
-- newest entry that the receiver was told of.  Where the numbering has begun anew since, the cursor
-- before that stands under the receiver's name and `*`, until the receiver is told of more.  The
-- state has h, the oldest number that waits for
-- one of them; g, the generation and the era (`livechat.backends.redis.receivers`) in which that
-- was found out; and f, before which histories show nothing.

-- The first number that stays, where without receivers it is `first`, and `top` is the newest.
local function kept_from(room, first, top)
    if not room.hold then
        return first
    end
    return math.min(first, math.max(room.hold, top - room.most + 1))
end

-- Find out which entries wait: room.hold is the number of the oldest.
--
-- `words` are a limit, the era, the most that is held, and the receivers.  Returns the limit.
--
-- In a new era a receiver without a cursor begins behind the newest entry, and others than those
-- named are forgotten.  In a new generation, or under another word, a cursor is good if the entry
-- that it stands on is there, with its tag; otherwise the receiver is told anew of all that is.
local function hold(room, cursors, words, generation)
    local limit, era, most, names = string.match(words, '^(%d+) (%d+) (%d+) (.*)$')
    local known = redis.call('HMGET', room.state, 'h', 'g', 'f')
    local its_generation, its_era = string.match(known[2] or '', '^(%S+) (%d+)$')
    era, its_era = tonumber(era), tonumber(its_era or 0)
    room.cursors, room.most, room.shown = cursors, tonumber(most), tonumber(known[3] or 0)
    if its_generation == generation and its_era >= era then
        room.hold = tonumber(known[1])
        return tonumber(limit)
    end
    local wanted, anew = {}, first_kept(room) - 1
    for name in string.gmatch(names, '%S+') do
        wanted[name] = true
    end
    local function write(name, seq, tag)
        local cursor = {generation, room.word, digits(seq), tag}
        redis.call('HSET', cursors, name, table.concat(cursor, ' '))
        room.hold = math.min(room.hold, seq + 1)
    end
    local function check(name, cursor)
        local its, word, seq, tag = string.match(cursor, '^(%S+) (%S*) (%d+) (%S*)$')
        seq = tonumber(seq)
        if word == room.word and its == generation then
            room.hold = math.min(room.hold, seq + 1)
            return
        end
        if not redis.call('HMGET', cursors, name .. '*')[1] then
            redis.call('HSET', cursors, name .. '*', cursor)
        end
        local entry = word == room.word and seq > 0 and entry_from(room, seq)
        local there = entry and seq_of(entry) == seq and tag_of(entry) == tag
        write(name, there and seq or anew, there and tag or '')
    end
    room.hold = room.top + 1
    local all = redis.call('HGETALL', cursors)
    for at = 1, #all, 2 do
        local name = all[at]
        if string.sub(name, -1) ~= '*' then
            if wanted[name] or era < its_era then
                check(name, all[at + 1])
                wanted[name] = nil
            else
                redis.call('HDEL', cursors, name, name .. '*')
            end
        end
    end
    for name in pairs(wanted) do
        write(name, room.top, room.tag)
    end
    redis.call(
        'HSET', room.state, 'h', digits(room.hold),
        'g', generation .. ' ' .. digits(math.max(era, its_era))
    )
    return tonumber(limit)
end
