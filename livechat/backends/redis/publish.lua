-- Store messages of one room under its next numbers, and tell the room.
--
-- KEYS  the room's stream, state, word, changed entries and channel; all streams, by the time of
--       their newest entry; the key of each nonce, in their order; those of `paces`; cursors, if
--       there are receivers outside (`holding.lua`)
-- ARGV  generation   of the numbering, for those who are told
--       deadline     milliseconds of Redis's clock after which nothing is stored; 0: none
--       now          milliseconds, as far as Redis's clock is believed
--       limit        entries that are kept; 0: all.  With receivers outside the words of `hold`
--       latest       milliseconds; a wrong clock has stamped what is later
--       again        some of them may be stored already, since this time; '': none
--       lasts        milliseconds for which a nonce is remembered
--       paces        '' if no message has one; otherwise a word for each, and '-' for those
--                    without, a blank between them (`pacing.lua`)
--       tag, user, digest, extra, text
--                    of each message; the digest is of all of it, '' if it has no nonce; extra
--                    is the rest of it as JSON, or ''
-- Returns the word of the numbering; then a number, a time and a verdict for each message:
-- 0, it is stored; 1, one was before, under the same nonce; 2, another act was; 3, it was before,
-- and may be changed since; or an error, and it is not stored.  Or 4 or 5, where it comes too soon,
-- and in place of the number the milliseconds after which it does not.  Nothing after the deadline.
-- Or -1 where they may have been stored and trimmed since.
--
-- Scripts are not undone where they fail: so the stream comes first, the counter
-- and nonces next, and only then is anybody told.  A counter that was left behind is
-- found out by the next message, whose number is taken.  What fails behind the stream, as
-- for want of a right, makes no message one that is not stored: nothing raises an error there.

local channel, idle = KEYS[5], KEYS[6]
local generation, deadline, again = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local now, limit, latest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local lasts = ARGV[7]

if deadline > 0 and clock() > deadline then
    return {}
end
-- A tag is given once, so the first one is a word that no other numbering has.
local room = numbering(KEYS, ARGV[9], lasts)
if not limit then
    limit = hold(room, KEYS[#KEYS], ARGV[4], generation)
end
local begins = room.top == 0
room.time = room.time > latest and now or math.max(room.time, now)

local messages, nonces, named = {}, 6, {}
for at = 9, #ARGV, 5 do
    local each = {
        tag = ARGV[at], user = ARGV[at + 1], digest = ARGV[at + 2], extra = ARGV[at + 3],
        text = ARGV[at + 4],
    }
    if each.digest ~= '' then
        nonces = nonces + 1
        each.nonce = KEYS[nonces]
        named[each.nonce] = used(each.nonce, room.word)
    end
    messages[#messages + 1] = each
end
local index = 0
for word in string.gmatch(ARGV[8], '%S+') do
    index = index + 1
    messages[index].pace = pace_of(word, KEYS)
end

local stored = {}
if again then
    local entries, complete = stored_since(room, again)
    for _, each in ipairs(messages) do
        local entry = entries[each.tag]
        stored[each.tag] = entry and {seq_of(entry), time_of(entry), 3}
        local known = each.nonce and named[each.nonce] and not named[each.nonce].broken
        -- It was looked for as far back as there is anything, and that is not far enough.
        if not (complete or entry or known) and room.time >= again and room.top > 0 then
            return -1
        end
    end
end

-- From here on an error of a read would hide what is stored.

local function add_message(each)
    local fields = {'t', digits(room.time), 'i', each.tag, 'm', each.text}
    if each.user ~= '' then
        fields[7], fields[8] = 'u', each.user
    end
    if each.extra ~= '' then
        fields[#fields + 1] = 'x'
        fields[#fields + 1] = each.extra
    end
    return add(room, limit, fields)
end

-- It was not added, with this error: the counter may have been left behind.
local function add_again(each, failed)
    local newest = redis.call('XREVRANGE', room.stream, '+', '-', 'COUNT', 1)[1]
    if not newest or seq_of(newest) <= room.top then
        error(failed)
    end
    room.time = math.max(room.time, time_of(newest))
    room.top = seq_of(newest)
    local added = add_message(each)
    if type(added) == 'table' and added.err then
        error(added)
    end
end

local function verdict(each)
    local known = each.nonce and named[each.nonce]
    if not known then
        return stored[each.tag]
    end
    if known.broken then
        return stored[each.tag] or {0, 0, known.broken}
    end
    if known.tag == each.tag then
        return {known.seq, known.time, again and 3 or 0}
    end
    return {known.seq, known.time, known.digest == each.digest and 1 or 2}
end

local answer, news = {room.word}, {}
for _, each in ipairs(messages) do
    local found = verdict(each) or each.pace and refusal(each.pace, now)
    if not found then
        local added = add_message(each)
        if type(added) == 'table' and added.err then
            local done, problem = pcall(add_again, each, added)
            found = not done and {0, 0, said(problem)}
        end
    end
    if not found then
        room.top = room.top + 1
        room.tag = each.tag
        found = {room.top, room.time, 0}
        local sizes = digits(#each.user)
        if each.extra ~= '' then
            sizes = sizes .. '/0/' .. digits(#each.extra)
        end
        news[#news + 1] = table.concat({
            generation, room.word, digits(room.top), digits(room.time), each.tag, sizes,
            each.user .. each.extra .. each.text
        }, ' ')
        if each.nonce then
            named[each.nonce] = {
                seq = room.top, time = room.time, tag = each.tag, digest = each.digest
            }
            remember(each.nonce, named[each.nonce], room.word, lasts)
        end
        if each.pace then
            count(each.pace, now)
        end
    end
    for _, part in ipairs(found) do
        answer[#answer + 1] = part
    end
end

if #news > 0 then
    advance(room, begins, limit, idle)
end
for _, each in ipairs(news) do
    redis.pcall('PUBLISH', channel, each)
end
return answer
