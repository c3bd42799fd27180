-- Edit a message, retract some, or give entries other texts; store the event of it under the room's
-- next number, and tell the room.
--
-- KEYS  as of `publish.lua`; at most one nonce, and no paces
-- ARGV  generation, deadline, now, limit, latest, again, lasts
--                    as of `publish.lua`
--       tag, digest  of the event; the digest is of the act, '' if it has no nonce
--       old          milliseconds; a message that is older is not kept any more
--       entries, bytes
--                    most of one node of a stream, as Redis is set up
--       author       the subject of the actor, or ''
--       act          'edit', 'retract' or 'redact'
--     and of an edit
--       ref          the number of the message
--       since        milliseconds; the message must not be older
--       most         how often a message can be edited
--       text, data   new ones; data are JSON, or ''
--       extra        the rest of the event, as JSON
--     or of a retraction
--       moderates    '1': messages of others may be among them
--       refs         the numbers of the messages
--     and of a redaction
--       changes      number, '1' and text; or number, '' and '' of an entry that is emptied
-- Returns the word of the numbering, a verdict, number and time of the event, its rest as JSON, and
-- the messages as they were, unless it was stored before.  The verdicts are those of
-- `publish.lua`, or a word: 'missing', 'foreign', 'late' or 'often'.  Nothing, or -1, as there.

local channel, idle, nonce = KEYS[5], KEYS[6], KEYS[7]
local generation, deadline, again = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local now, limit, latest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local lasts, tag, digest, old = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10])
local node_entries, node_bytes = tonumber(ARGV[11]), tonumber(ARGV[12])
local author, act = ARGV[13], ARGV[14]

if deadline > 0 and clock() > deadline then
    return {}
end
local room = numbering(KEYS, tag, lasts)
if not limit then
    nonce = KEYS[8] and nonce
    limit = hold(room, KEYS[#KEYS], ARGV[4], generation)
end
local known = nonce and used(nonce, room.word)
if known and known.broken then
    return {room.word, known.broken}
end
if known and known.tag ~= tag then
    return {room.word, known.digest == digest and 1 or 2, known.seq, known.time, '', {}}
end

if again then
    local entries, complete = stored_since(room, again)
    local entry = entries[tag] or known and entry_from(room, known.seq)
    if entry and tag_of(entry) == tag then
        return {room.word, 3, seq_of(entry), time_of(entry), parts_of(entry).extra, {}}
    end
    if known then
        return {room.word, 3, known.seq, known.time, '', {}}
    end
    if not complete and room.top > 0 then
        return -1
    end
end

-- The counter may have been left behind.
local newest = redis.call('XREVRANGE', room.stream, '+', '-', 'COUNT', 1)[1]
if newest and seq_of(newest) > room.top then
    room.top, room.time = seq_of(newest), time_of(newest)
end
local begins = room.top == 0
room.time = room.time > latest and now or math.max(room.time, now)
local first = first_kept(room)
-- The oldest entry that a history shows.
local oldest = math.max(first, room.shown or 0)
if limit > 0 then
    oldest = math.max(oldest, room.top - limit + 1)
end

-- The entry with this number, and its parts; or nil.
local function stored(seq)
    local entry = seq <= room.top and entry_from(room, seq)
    if entry and seq_of(entry) == seq then
        return {seq = seq, entry = entry, parts = parts_of(entry)}
    end
end

-- The same of a message that is kept.
local function message(seq)
    local found = seq >= oldest and stored(seq)
    if found and found.parts.kind == '0' and tonumber(found.parts.time) >= old then
        return found
    end
end

-- The changed entries, as records by number.
local changed = {}

local function empty(seq, parts)
    changed[seq] = record_of_gone(parts)
end

local function empty_event(parts)
    local _, seq = edits_of(parts)
    local found = seq > 0 and stored(seq)
    if found then
        empty(seq, found.parts)
    end
end

local before, kind, text, extra = {}, nil, nil, nil
if act == 'edit' then
    local found = message(tonumber(ARGV[15]))
    local since, most, data = tonumber(ARGV[16]), tonumber(ARGV[17]), ARGV[19]
    kind, text, extra = '2', ARGV[18], ARGV[20]
    if not found then
        return {room.word, 'missing'}
    end
    local parts = found.parts
    local count = edits_of(parts)
    if subject(parts.user) ~= author then
        return {room.word, 'foreign'}
    elseif tonumber(parts.time) < since then
        return {room.word, 'late'}
    elseif count >= most then
        return {room.word, 'often'}
    end
    before[1] = found.entry
    empty_event(parts)
    local rest = {}
    local reply_to = string.match(parts.extra, '^{("reply_to":%d+)')
    if reply_to then
        rest[1] = reply_to
    end
    if data ~= '' then
        rest[#rest + 1] = '"data":' .. data
    end
    rest[#rest + 1] = '"edited":' .. digits(room.time)
    rest[#rest + 1] = '"edits":' .. digits(count + 1)
    rest[#rest + 1] = '"event":' .. digits(room.top + 1)
    parts.extra, parts.text = '{' .. table.concat(rest, ',') .. '}', text
    changed[found.seq] = record_of(parts)
elseif act == 'redact' then
    for at = 15, #ARGV, 3 do
        local found = stored(tonumber(ARGV[at]))
        local kind_of = found and found.parts.kind
        if kind_of == '0' or kind_of == '2' then
            before[#before + 1] = found.entry
            if ARGV[at + 1] == '' then
                empty(found.seq, found.parts)
            elseif kind_of == '0' then
                found.parts.text = ARGV[at + 2]
                changed[found.seq] = record_of(found.parts)
            end
            if ARGV[at + 1] == '' and kind_of == '0' then
                empty_event(found.parts)
            end
        end
    end
    if #before == 0 then
        return {room.word, 'missing'}
    end
    kind, text, extra = '3', '', ''
else
    local own, refs = true, {}
    for at = 16, #ARGV do
        local found = message(tonumber(ARGV[at]))
        if found and not changed[found.seq] then
            before[#before + 1] = found.entry
            refs[#refs + 1] = digits(found.seq)
            own = own and author ~= '' and subject(found.parts.user) == author
            empty(found.seq, found.parts)
            empty_event(found.parts)
        end
    end
    if #before == 0 then
        return {room.word, 'missing'}
    elseif not own and ARGV[15] ~= '1' then
        return {room.word, 'foreign'}
    end
    kind, text = '1', ''
    extra = '{"refs":[' .. table.concat(refs, ',') .. (own and ']}' or '],"by":"moderator"}')
end

-- From here on nothing fails: the first command is the one that a full Redis refuses.

rewrite(room, changed, node_entries, node_bytes)
local stamp = digits(room.time)
add(room, limit, {'t', stamp, 'i', tag, 'm', text, 'k', kind, 'x', extra})
room.top = room.top + 1
room.tag, room.event, room.oldest = tag, room.top, room.oldest or first
redis.call('HSET', room.state, 'e', digits(room.top), 'o', digits(room.oldest))
advance(room, begins, limit, idle)
if nonce then
    local use = {seq = room.top, time = room.time, tag = tag, digest = digest}
    remember(nonce, use, room.word, lasts)
end
redis.pcall('PUBLISH', channel, table.concat({
    generation, room.word, digits(room.top), stamp, tag,
    '0/' .. kind .. '/' .. digits(#extra), extra .. text
}, ' '))
return {room.word, 0, room.top, room.time, extra, before}
