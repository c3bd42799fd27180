-- Empty messages of a room that are only kept for receivers outside, and their edits.
--
-- KEYS  the room's stream, state, word and changed entries; cursors (`holding.lua`)
-- ARGV  words    of `hold`, with the limit of the history
--       generation
--                of the numbering
--       before   '1': all entries are only kept for receivers
--       old      milliseconds; what is older is in no history
--       start    the number to begin with
--       most     entries that are looked at
--       since    milliseconds; what is older stays
--       subject  of the author; '': any
--       entries, bytes
--                most of one node of a stream, as Redis is set up
-- Returns how many messages were emptied, and the number to go on with; 0: nothing is left.

local old, start, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local since, author = tonumber(ARGV[7]), ARGV[8]
local room = numbering(KEYS, '', '1')
if room.top == 0 then
    return {0, 0}
end
local limit = hold(room, KEYS[5], ARGV[1], ARGV[2])
local shown = math.max(room.shown, limit > 0 and room.top - limit + 1 or 0)
if old > 0 then
    shown = math.max(shown, room.time < old and room.top + 1 or first_since(room, old))
end
if ARGV[3] == '1' then
    shown = room.top + 1
end
local oldest = first_kept(room)

local changed, count, next_one = {}, 0, 0

local function empty(seq, parts)
    changed[seq] = record_of_gone(parts)
end

local function empty_event(parts)
    local _, seq = edits_of(parts)
    local entry = seq >= oldest and seq > 0 and entry_from(room, seq)
    if entry and seq_of(entry) == seq then
        empty(seq, parts_of(entry))
    end
end

local looked = 0
for _, entry in ipairs(entries_from(room, math.max(start, oldest), most, math.huge)) do
    local seq = seq_of(entry)
    if seq >= shown then
        looked = 0
        break
    end
    looked, next_one = looked + 1, seq + 1
    local parts = parts_of(entry)
    local his = author == '' or subject(parts.user) == author
    if parts.kind == '0' and his and tonumber(parts.time) >= since then
        count = count + 1
        empty(seq, parts)
        empty_event(parts)
    end
end
if count > 0 then
    rewrite(room, changed, tonumber(ARGV[9]), tonumber(ARGV[10]))
    local last = room.event
    for seq in pairs(changed) do
        last = math.max(last, seq + 1)
    end
    redis.call('HSET', room.state, 'e', digits(last), 'o', digits(room.oldest or oldest))
end
return {count, looked == most and next_one or 0}
