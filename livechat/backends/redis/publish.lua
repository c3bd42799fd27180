-- Store messages of one room under its next numbers, and tell the room.
--
-- KEYS  the room's stream, state, word and channel; all streams, by the time of their newest
--       message; the key of each nonce, in their order
-- ARGV  generation   of the numbering, for those who are told
--       deadline     milliseconds of Redis's clock after which nothing is stored; 0: none
--       now          milliseconds, as far as Redis's clock is believed
--       limit        messages that are kept; 0: all
--       latest       milliseconds; a wrong clock has stamped what is later
--       again        some of them may be stored already, since this time; '': none
--       lasts        milliseconds for which a nonce is remembered
--       tag, user, digest, text
--                    of each message; the digest is of its text, '' if it has no nonce
-- Returns the word of the numbering; then a number, a time and a verdict for each message:
-- 0, it is stored; 1, it was before, under the same nonce; 2, another one was; or an error, and
-- it is not stored.  Nothing after the deadline.  Or -1 where they may have been stored and
-- trimmed since.
--
-- Scripts are not undone where they fail: so the stream comes first, the counter
-- and nonces next, and only then is anybody told.  A counter that was left behind is
-- found out by the next message, whose number is taken.  What fails behind the stream, as
-- for want of a right, makes no message one that is not stored: nothing raises an error there.

local stream, state, words, channel, idle = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local generation, deadline, again = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local now, limit, latest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local lasts = ARGV[7]

if deadline > 0 and clock() > deadline then
    return {}
end
-- A tag is given once, so the first one is a word that no other numbering has.
local top, time, _, word = numbering(stream, state, words, ARGV[8], lasts)
local begins = top == 0
time = time > latest and now or math.max(time, now)

-- What is known of the message that used a nonce: number, time, tag, digest; or why it is not.
-- A message of another numbering is lost, and is to be stored again.
local function used(nonce)
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

local messages, nonces, named = {}, 5, {}
for at = 8, #ARGV, 4 do
    local each = {tag = ARGV[at], user = ARGV[at + 1], digest = ARGV[at + 2], text = ARGV[at + 3]}
    if each.digest ~= '' then
        nonces = nonces + 1
        each.nonce = KEYS[nonces]
        named[each.nonce] = used(each.nonce)
    end
    messages[#messages + 1] = each
end

local stored = {}
if again then
    local first = top + 1
    for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1000)) do
        stored[entry[2][4]] = {seq_of(entry), time_of(entry), 0}
        first = seq_of(entry)
        if time_of(entry) < again then
            first = 1
            break
        end
    end
    for _, each in ipairs(messages) do
        local known = each.nonce and named[each.nonce] and not named[each.nonce].broken
        -- It was looked for as far back as there is anything, and that is not far enough.
        if first > 1 and time >= again and top > 0 and not stored[each.tag] and not known then
            return -1
        end
    end
end

-- From here on nothing is read that may not be there: an error would hide what is stored.

local function add(each)
    local fields = {'t', digits(time), 'i', each.tag, 'm', each.text}
    if each.user ~= '' then
        fields[7], fields[8] = 'u', each.user
    end
    local id = digits(top + 1) .. '-0'
    if limit > 0 then
        return redis.pcall('XADD', stream, 'MAXLEN', digits(limit), id, unpack(fields))
    end
    return redis.pcall('XADD', stream, id, unpack(fields))
end

-- It was not added, with this error: the counter may have been left behind.
local function add_again(each, failed)
    local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
    if not newest or seq_of(newest) <= top then
        error(failed)
    end
    time = math.max(time, time_of(newest))
    top = seq_of(newest)
    local added = add(each)
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
        return {known.seq, known.time, 0}
    end
    return {known.seq, known.time, known.digest == each.digest and 1 or 2}
end

local answer, news = {word}, {}
for _, each in ipairs(messages) do
    local found = verdict(each)
    if not found then
        local added = add(each)
        if type(added) == 'table' and added.err then
            local done, problem = pcall(add_again, each, added)
            found = not done and {0, 0, said(problem)}
        end
    end
    if not found then
        top = top + 1
        found = {top, time, 0}
        news[#news + 1] = {
            digits(top), digits(time), each.tag, #each.user, each.user .. each.text
        }
        if each.nonce then
            named[each.nonce] = {seq = top, time = time, tag = each.tag, digest = each.digest}
            local value = table.concat(
                {digits(top), digits(time), each.tag, each.digest, word}, ' '
            )
            redis.pcall('SET', each.nonce, value, 'PX', lasts)
        end
    end
    for _, part in ipairs(found) do
        answer[#answer + 1] = part
    end
end

if #news > 0 then
    redis.pcall('HSET', state, 's', digits(top), 't', digits(time), 'i', news[#news][3])
    if begins then
        redis.pcall('HSET', state, 'w', word)
        redis.pcall('DEL', words)
    end
    if redis.pcall('ZADD', idle, digits(time), stream) == 1 then
        -- A stream of an earlier livechat ends by itself.
        redis.pcall('PERSIST', stream)
    end
end
for _, each in ipairs(news) do
    redis.pcall('PUBLISH', channel, generation .. ' ' .. word .. ' ' .. table.concat(each, ' '))
end
return answer
