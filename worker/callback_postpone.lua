-- Let a callback wait for its next attempt, if it was still pending in the group; the entry itself stays.
-- KEYS: callbacks, waiting. ARGV: group, entry id, failures so far, delay in ms. Returns 1 if it waits now, else 0.
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 0
end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
redis.call('ZADD', KEYS[2], due, ARGV[2] .. ' ' .. ARGV[3])
return 1
