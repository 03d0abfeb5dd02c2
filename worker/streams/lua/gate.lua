-- Finish a batch: an entry's result is written, and its job deleted, only if it was still pending in the group.
-- KEYS: jobs, results, callbacks, answered. ARGV: group, maxlen of results (0 = never trim), for how many ms a job is
-- answered only once (0 = repeats are answered too), then for each entry eight: its id, the result JSON (empty: the job
-- goes without one), the callback's URL, job id, body and traceparent (an empty URL: no callback; the last may be empty
-- by itself), the job id that is answered only once (empty: as often as it comes), and whether this answer is noted as
-- that one (1, else empty).
-- Returns how many results were written; entries already finished by somebody else count for nothing.
-- An entry is appended first and acknowledged last. Where a step fails (no rights, a stream at its last id), what this
-- entry had written is taken back and the error returned: the job stays pending. Entries before it are finished whole.
for i, wanted in ipairs({'', 'stream', 'stream', 'zset'}) do
  local kind = i > 1 and redis.call('TYPE', KEYS[i])['ok'] or 'none'
  if kind ~= wanted and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a ' .. wanted)
  end
end
local group = ARGV[1]
local maxlen = tonumber(ARGV[2])
local once_ms = tonumber(ARGV[3])
local now = 0
if once_ms > 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - once_ms)
end

local undo, _
local function step(undone_by, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply['err'] then
    return nil, reply
  end
  if undone_by then
    undo[#undo + 1] = undone_by(reply)
  end
  return reply
end
local function delete_from(key)
  return function(id)
    return {'XDEL', key, id}
  end
end

-- Whether the entry gets its result, and an error where that could not be noted.
local function wanted(i)
  if ARGV[i + 1] == '' then
    return false
  end
  local once = ARGV[i + 6]
  if once_ms == 0 or once == '' then
    return true
  end
  if ARGV[i + 7] == '' then
    return not redis.call('ZSCORE', KEYS[4], once)
  end
  if redis.call('ZSCORE', KEYS[4], once) then
    return false
  end
  local noted, failed = step(function() return {'ZREM', KEYS[4], once} end, 'ZADD', KEYS[4], now, once)
  return noted ~= nil, failed
end

local function append(i)
  local due, failed = wanted(i)
  if failed or not due then
    return 0, failed
  end
  if maxlen > 0 then
    _, failed = step(
      delete_from(KEYS[2]), 'XADD', KEYS[2], 'MAXLEN', '~', maxlen, '*', 'data', ARGV[i + 1])
  else
    _, failed = step(delete_from(KEYS[2]), 'XADD', KEYS[2], '*', 'data', ARGV[i + 1])
  end
  if not failed and ARGV[i + 2] ~= '' then
    local fields = {'url', ARGV[i + 2], 'job_id', ARGV[i + 3], 'body', ARGV[i + 4]}
    if ARGV[i + 5] ~= '' then
      fields[7], fields[8] = 'traceparent', ARGV[i + 5]
    end
    _, failed = step(delete_from(KEYS[3]), 'XADD', KEYS[3], '*', unpack(fields))
  end
  return 1, failed
end

local function finish(i)
  local count, failed = append(i)
  if not failed then
    _, failed = step(nil, 'XACK', KEYS[1], group, ARGV[i])
  end
  if failed then
    for back = #undo, 1, -1 do
      redis.pcall(unpack(undo[back]))
    end
    return 0, failed
  end
  redis.call('XDEL', KEYS[1], ARGV[i])
  return count
end

local written = 0
for i = 4, #ARGV, 8 do
  local pending = redis.pcall('XPENDING', KEYS[1], group, ARGV[i], ARGV[i], 1)
  if pending['err'] then
    -- Without the stream or its group nothing is pending, and somebody else is to answer.
    if not string.find(pending['err'], 'NOGROUP', 1, true) then
      return pending
    end
  elseif #pending == 1 then
    undo = {}
    local count, failed = finish(i)
    if failed then
      return failed
    end
    written = written + count
  end
end
return written
