-- What the scripts share that move cursors.

-- The number of the newest entry that a receiver was told of; nil if it has no cursor.
local function told_of(room, receiver)
    local cursor = redis.call('HMGET', room.cursors, receiver)[1]
    return cursor and tonumber(string.match(cursor, '^%S+ %S* (%d+) '))
end

-- Have a receiver be told of all up to number `seq`.
local function tell_up_to(room, receiver, seq, generation)
    local tag = room.tag
    if seq ~= room.top then
        local entry = seq > 0 and entry_from(room, seq)
        tag = entry and seq_of(entry) == seq and tag_of(entry) or ''
    end
    local cursor = {generation, room.word, digits(seq), tag}
    redis.call('HSET', room.cursors, receiver, table.concat(cursor, ' '))
end

-- Entries before number `seq` are not held any more; or again, if it is less than before.
local function hold_from(room, seq)
    redis.call('HSET', room.state, 'h', digits(seq))
    room.hold = seq
end
