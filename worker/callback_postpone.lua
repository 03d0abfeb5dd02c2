-- Let a callback wait for its next attempt, if it was still pending in the group; the entry itself stays.
-- KEYS: callbacks, waiting. ARGV: group, entry id, failures so far, delay in ms. Returns 1 if it waits now, else 0.
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'zset' and kind ~= 'none' then
  -- Found out before anything is acknowledged: an acknowledged callback that goes nowhere would be lost.
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a sorted set')
end
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 0
end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
redis.call('ZADD', KEYS[2], due, ARGV[2] .. ' ' .. ARGV[3])
return 1
