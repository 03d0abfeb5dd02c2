-- Put entries whose time has come back at the end of the stream, with the number of retries they have had.
-- KEYS: jobs, later. ARGV: group, name of the field for the retries, most entries at once.
-- Returns how many were put back, and in how many ms the next one is due (-1: none is waiting).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Nobody waits longer than the delay noted beside his time; where one would, the clock was set back since.
local latest = redis.call('ZREVRANGE', KEYS[2], 0, ARGV[3] - 1, 'WITHSCORES')
for i = 1, #latest, 2 do
  local delay = tonumber(string.match(latest[i], '^%d+%-%d+ %d+ (%d+)$'))
  if delay and latest[i + 1] - now > delay then
    redis.call('ZADD', KEYS[2], now + delay, latest[i])
  end
end

local moved = 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local id, retries = string.match(member, '^(%d+%-%d+) (%d+)')
  -- A group that was lost and made again has delivered the entry anew; then it is in good hands.
  local held = id and redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  local found = id and redis.call('XRANGE', KEYS[1], id, id) or {}
  if found[1] and (held['err'] or #held == 0) then
    local fields = {}
    -- unpack() has a limit of about 8000; what lies beyond 2000 fields was never a job.
    for i = 1, math.min(#found[1][2], 4000), 2 do
      if found[1][2][i] ~= ARGV[2] then
        fields[#fields + 1] = found[1][2][i]
        fields[#fields + 1] = found[1][2][i + 1]
      end
    end
    redis.call('XADD', KEYS[1], '*', ARGV[2], retries, unpack(fields))
    redis.call('XDEL', KEYS[1], id)
    moved = moved + 1
  end
  -- Last, so that an entry that could not be put back is not forgotten.
  redis.call('ZREM', KEYS[2], member)
end
local following = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
return {moved, following[2] and math.max(0, following[2] - now) or -1}
