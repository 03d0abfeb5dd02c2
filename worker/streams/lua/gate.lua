-- Finish a batch: an entry's result is written, and its job deleted, only if it was still pending in the group.
-- KEYS: jobs, results, callbacks, answered. ARGV: group, maxlen of results (0 = never trim), for how many ms a job is
-- answered only once (0 = repeats are answered too), then for each entry seven: its id, the result JSON (empty: the job
-- goes without one), the callback's URL, job id and body (an empty URL: no callback), the job id that is answered only
-- once (empty: as often as it comes), and whether this answer is noted as that one (1, else empty).
-- Returns how many results were written; entries already finished by somebody else count for nothing.
for i, wanted in ipairs({'', 'stream', 'stream', 'zset'}) do
  local kind = i > 1 and redis.call('TYPE', KEYS[i])['ok'] or 'none'
  if kind ~= wanted and kind ~= 'none' then
    -- Found out before anything is acknowledged: an acknowledged job without a result would be lost.
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a ' .. wanted)
  end
end
local maxlen = tonumber(ARGV[2])
local once_ms = tonumber(ARGV[3])
local now = 0
if once_ms > 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - once_ms)
end
local function wanted(i)
  if ARGV[i + 1] == '' then
    return false
  end
  local once = ARGV[i + 5]
  if once_ms == 0 or once == '' then
    return true
  end
  if ARGV[i + 6] == '' then
    return not redis.call('ZSCORE', KEYS[4], once)
  end
  return redis.call('ZADD', KEYS[4], 'NX', now, once) == 1
end
local written = 0
for i = 4, #ARGV, 7 do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 then
    if wanted(i) then
      if maxlen > 0 then
        redis.call('XADD', KEYS[2], 'MAXLEN', '~', maxlen, '*', 'data', ARGV[i + 1])
      else
        redis.call('XADD', KEYS[2], '*', 'data', ARGV[i + 1])
      end
      if ARGV[i + 2] ~= '' then
        redis.call('XADD', KEYS[3], '*', 'url', ARGV[i + 2], 'job_id', ARGV[i + 3], 'body', ARGV[i + 4])
      end
      written = written + 1
    end
    redis.call('XDEL', KEYS[1], ARGV[i])
  end
end
return written
