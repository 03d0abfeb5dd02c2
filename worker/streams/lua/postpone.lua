-- Put one entry, a job or a callback, aside until later, if it was still pending in the group. It stays in the stream,
-- so that nothing is copied, and no consumer holds it meanwhile.
-- KEYS: stream, later. ARGV: group, entry id, delay in ms, how often it has failed by then. Returns 1 if it was put
-- aside, else 0. Its time is noted before it is acknowledged; the delay stands beside it, so that a clock that was set
-- back is noticed.
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'zset' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a sorted set')
end
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if pending['err'] or #pending == 0 then
  return 0
end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
local member = ARGV[2] .. ' ' .. ARGV[4] .. ' ' .. ARGV[3]
redis.call('ZADD', KEYS[2], due, member)
local reply = redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
if type(reply) == 'table' and reply['err'] then
  redis.pcall('ZREM', KEYS[2], member)
  return reply
end
return 1
