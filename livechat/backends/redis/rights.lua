-- Try every command that livechat gives, by itself or in a script, on a key and a channel
-- that nobody uses: rights are missing in the middle of a script otherwise.
--
-- KEYS  the key
-- ARGV  the channel
-- Returns nothing; or the first command that was refused, and the error.

local key, channel = KEYS[1], ARGV[1]
local tried = {
    {'SET', key, '', 'PX', '60000'}, {'GET', key}, {'MGET', key}, {'EXISTS', key},
    {'PERSIST', key}, {'RENAMENX', key, key}, {'SCAN', '0', 'MATCH', key, 'COUNT', '1'},
    {'DEL', key},
    {'HSET', key, 'a', ''}, {'HMGET', key, 'a'}, {'HGETALL', key}, {'HSCAN', key, '0'},
    {'HLEN', key}, {'HKEYS', key}, {'HDEL', key, 'a'}, {'UNLINK', key},
    {'XADD', key, '1-0', 'a', ''}, {'XRANGE', key, '-', '+'}, {'XREVRANGE', key, '+', '-'},
    {'XTRIM', key, 'MINID', '1'}, {'XDEL', key, '1-0'},
    {'PEXPIRE', key, '60000'}, {'DEL', key},
    {'ZADD', key, '1', 'a'}, {'ZRANGE', key, '0', '-1'}, {'ZRANGEBYSCORE', key, '1', '2'},
    {'ZRANGEBYLEX', key, '-', '+', 'LIMIT', '0', '1'}, {'ZCARD', key},
    {'ZSCAN', key, '0'}, {'ZREMRANGEBYSCORE', key, '2', '3'}, {'ZREM', key, 'a'},
    {'PUBLISH', channel, ''}, {'TIME'},
}
for _, command in ipairs(tried) do
    local answer = redis.pcall(unpack(command))
    if type(answer) == 'table' and answer.err then
        redis.pcall('DEL', key)
        return {table.concat({command[1], command[2]}, ' '), said(answer)}
    end
end
return {}
