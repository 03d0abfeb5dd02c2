-- Finish a batch: an entry's result is written, and its job deleted, only if it was still pending in the group.
-- KEYS: jobs, results, callbacks. ARGV: group, maxlen of results (0 = never trim), then for each entry five: its id,
-- the result JSON, and the callback's URL, job id and body (an empty URL: no callback).
-- Returns how many results were written; entries already finished by somebody else count for nothing.
for i = 2, 3 do
  local kind = redis.call('TYPE', KEYS[i])['ok']
  if kind ~= 'stream' and kind ~= 'none' then
    -- Found out before anything is acknowledged: an acknowledged job without a result would be lost.
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a stream')
  end
end
local maxlen = tonumber(ARGV[2])
local written = 0
for i = 3, #ARGV, 5 do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 then
    if maxlen > 0 then
      redis.call('XADD', KEYS[2], 'MAXLEN', '~', maxlen, '*', 'data', ARGV[i + 1])
    else
      redis.call('XADD', KEYS[2], '*', 'data', ARGV[i + 1])
    end
    if ARGV[i + 2] ~= '' then
      redis.call('XADD', KEYS[3], '*', 'url', ARGV[i + 2], 'job_id', ARGV[i + 3], 'body', ARGV[i + 4])
    end
    redis.call('XDEL', KEYS[1], ARGV[i])
    written = written + 1
  end
end
return written
