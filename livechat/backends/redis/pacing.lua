-- The pace of a room, by the rules of `livechat.backends.pacing`.
--
-- Two kinds of keys, which end by themselves: when the newest message of one user was let through,
-- in milliseconds; and when all that was let through in the room would be through, had it come
-- evenly, in microseconds.

local BURST = 1000000

-- The pace of a message: `slow/key/rate/key`, each key by its place in `keys`; or nil.
local function pace_of(word, keys)
    local slow, author, rate, room = string.match(word, '^(%d+)/(%d+)/(%d+)/(%d+)$')
    if slow then
        return {
            slow = 1000 * tonumber(slow), author = keys[tonumber(author)],
            rate = tonumber(rate), room = keys[tonumber(room)]
        }
    end
end

-- Times by key: a script reads each once.
local times = {}

local function keep(key, time, lasts)
    times[key] = time
    redis.pcall('SET', key, digits(time), 'PX', digits(lasts))
end

-- The time that is kept, or `latest`, if a clock that was wrong has kept a later one.
local function time_kept(key, latest, lasts)
    if not times[key] then
        local value = redis.pcall('GET', key)
        times[key] = type(value) == 'string' and tonumber(value) or 0
    end
    if times[key] > latest then
        keep(key, latest, lasts)
    end
    return times[key]
end

-- When all is through, with this message too, in microseconds.
local function due_with(pace, now)
    local due = time_kept(pace.room, 1000 * now + BURST, 2000)
    return math.max(1000 * now, due) + math.floor(BURST / pace.rate)
end

-- Milliseconds until a message is let through, and a verdict: 4 for `slow`, 5 for `rate`; or nil.
local function refusal(pace, now)
    if pace.slow > 0 then
        local wait = time_kept(pace.author, now, pace.slow) + pace.slow - now
        if wait > 0 then
            return {wait, 0, 4}
        end
    end
    if pace.rate > 0 then
        local wait = due_with(pace, now) - BURST - 1000 * now
        if wait > 0 then
            return {math.ceil(wait / 1000), 0, 5}
        end
    end
end

-- A message was let through.
local function count(pace, now)
    if pace.slow > 0 then
        keep(pace.author, now, pace.slow)
    end
    if pace.rate > 0 then
        keep(pace.room, due_with(pace, now), 2000)
    end
end
