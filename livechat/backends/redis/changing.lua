-- What the scripts that change entries share.
--
-- A changed entry is taken out of the stream, and is a record in the hash from then on.  Redis
-- only marks an entry as deleted: its words stay in its node, and in all files, until the whole
-- node is deleted.  So all entries that may be in that node become records as well.

-- The parts of an entry: time, tag, user, kind, extra and text.
local function parts_of(entry)
    local kept = entry[2]
    if type(kept) ~= 'string' then
        local named = {}
        for at = 1, #kept, 2 do
            named[kept[at]] = kept[at + 1]
        end
        return {
            time = named.t, tag = named.i, user = named.u or '', kind = named.k or '0',
            extra = named.x or '', text = named.m
        }
    end
    local time, its_tag, user, kind, extra, begins =
        string.match(kept, '^(%d+) (%S*) (%d+)/(%d+)/(%d+) ()')
    user, extra = tonumber(user), tonumber(extra)
    return {
        time = time, tag = its_tag, kind = kind, user = string.sub(kept, begins, begins + user - 1),
        extra = string.sub(kept, begins + user, begins + user + extra - 1),
        text = string.sub(kept, begins + user + extra)
    }
end

local function record_of(parts)
    local sizes = table.concat({#parts.user, parts.kind, #parts.extra}, '/')
    local rest = parts.user .. parts.extra .. parts.text
    return table.concat({parts.time, parts.tag, sizes, rest}, ' ')
end

-- The record of an entry of the stream that is not changed.
local function record_as_is(entry)
    local kept = entry[2]
    local user = kept[7] == 'u' and kept[8] or ''
    if #kept > 8 or #kept == 8 and kept[7] ~= 'u' then
        return record_of(parts_of(entry))
    end
    return kept[2] .. ' ' .. kept[4] .. ' ' .. #user .. '/0/0 ' .. user .. kept[6]
end

-- The record of an entry of which only its number stays.
local function record_of_gone(parts)
    return record_of({
        time = parts.time, tag = parts.tag, user = '', kind = '3', extra = '', text = ''
    })
end

-- Whose a message is, as `livechat.protocol.messages.User.subject`.
local function subject(user)
    local head = string.match(user, '^([^ ]*) ')
    if not head then
        return nil
    end
    local id, rest = string.match(head, '^([^\t]*)(.*)$')
    return (string.match(rest, '^\t[^\t]*\tv$') and 'u:' or 'g:') .. id
end

-- How often a message was edited, and the number of the event of its last edit.  Its data end
-- with a brace of their own, so nothing in them looks like this.
local function edits_of(parts)
    local count, event = string.match(parts.extra, '"edits":(%d+),"event":(%d+)}$')
    return tonumber(count or 0), tonumber(event or 0)
end

-- Have entries be these records, by number.  `node_entries` and `node_bytes` are the most of one
-- node of a stream, as Redis is set up.  The first command is the one that a full Redis refuses.
local function rewrite(room, changed, node_entries, node_bytes)
    -- All entries of the stream that may share a node with a changed one, by number.
    local taken = {}

    -- Bytes of an entry in its node, at least: Redis packs numbers of up to 20 digits into 10.
    local function bytes_of(entry)
        local sum = #entry[2][6] <= 20 and 8 or 20
        for at = 4, #entry[2], 2 do
            sum = sum + #entry[2][at]
        end
        return sum
    end

    -- Take what is near entry *seq*, in one direction, up to the next changed entry: what is behind
    -- that one is nearer to it.
    local function take_near(seq, command, step, stop)
        local last = stop and digits(stop - step) or step > 0 and '+' or '-'
        local count, bytes, asked = 0, 0, 2
        while seq ~= stop do
            local some = redis.call(command, room.stream, digits(seq), last, 'COUNT', asked)
            for _, entry in ipairs(some) do
                seq = seq_of(entry)
                if count >= node_entries or bytes >= node_bytes or taken[seq] then
                    return
                end
                count, bytes = count + 1, bytes + bytes_of(entry)
                taken[seq] = entry
                seq = seq + step
            end
            if #some < asked or seq < 0 then
                return
            end
            -- Few where entries are long, and many where they are short.
            asked = 2 * asked
        end
    end

    local numbers = {}
    for seq in pairs(changed) do
        numbers[#numbers + 1] = seq
    end
    table.sort(numbers)
    for at, seq in ipairs(numbers) do
        take_near(seq, 'XRANGE', 1, numbers[at + 1])
        take_near(seq - 1, 'XREVRANGE', -1, numbers[at - 1])
    end

    local fields, ids = {}, {}
    for seq, entry in pairs(taken) do
        ids[#ids + 1] = entry[1]
        changed[seq] = changed[seq] or record_as_is(entry)
    end
    for seq, record in pairs(changed) do
        fields[#fields + 1] = digits(seq)
        fields[#fields + 1] = record
    end
    for at = 1, #fields, 1000 do
        redis.call('HSET', room.changed, unpack(fields, at, math.min(#fields, at + 999)))
    end
    for at = 1, #ids, 1000 do
        redis.call('XDEL', room.stream, unpack(ids, at, math.min(#ids, at + 999)))
    end
end
