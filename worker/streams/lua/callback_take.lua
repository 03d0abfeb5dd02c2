-- Take callbacks to deliver: abandoned ones, then ones whose waiting is over, then ones nobody has seen.
-- KEYS: callbacks, waiting. ARGV: group, consumer, count, lease in ms, cursor of the search for abandoned ones.
-- Returns the taken entries, the next cursor, and the ms until the next one that waits is due (-1: none waits).
local group, consumer, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {{}, '0-0', -1}
end
local function claim()
  return redis.pcall('XAUTOCLAIM', KEYS[1], group, consumer, ARGV[4], ARGV[5], 'COUNT', count)
end
local claimed = claim()
if claimed['err'] and string.find(claimed['err'], 'NOGROUP', 1, true) then
  redis.call('XGROUP', 'CREATE', KEYS[1], group, '0')
  claimed = claim()
end
if claimed['err'] then
  return claimed
end
local taken = {}
for _, entry in ipairs(claimed[2]) do
  -- Redis 6.2 shows a deleted entry as nil.
  if entry and entry[2] then
    taken[#taken + 1] = entry
  end
end

-- A due entry gets a new id, with its failures counted, so that the group delivers it like any other.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Nobody waits longer than the delay noted beside his time; where one would, the clock was set back since.
local latest = redis.call('ZREVRANGE', KEYS[2], 0, 99, 'WITHSCORES')
for i = 1, #latest, 2 do
  local delay = tonumber(string.match(latest[i], '^%d+%-%d+ %d+ (%d+)$'))
  if delay and latest[i + 1] - now > delay then
    redis.call('ZADD', KEYS[2], now + delay, latest[i])
  end
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  local id, failures = string.match(member, '^(%d+%-%d+) (%d+)')
  local found = id and redis.call('XRANGE', KEYS[1], id, id)[1]
  -- A group that was lost and made again has delivered the entry anew; then it is in good hands.
  if found and #redis.call('XPENDING', KEYS[1], group, id, id, 1) == 0 then
    -- Only what a callback is made of: somebody else's entry may have more fields than a script can pass on.
    local fields = {}
    for i = 1, #found[2], 2 do
      local name = found[2][i]
      if #fields < 6 and (name == 'url' or name == 'job_id' or name == 'body') then
        fields[#fields + 1] = name
        fields[#fields + 1] = found[2][i + 1]
      end
    end
    redis.call('XADD', KEYS[1], '*', 'failures', failures, unpack(fields))
    redis.call('XDEL', KEYS[1], id)
  end
  -- Last, so that an entry that could not be put back is not forgotten.
  redis.call('ZREM', KEYS[2], member)
end

if #taken < count then
  local read = redis.call(
    'XREADGROUP', 'GROUP', group, consumer, 'COUNT', count - #taken, 'STREAMS', KEYS[1], '>')
  if read then
    for _, entry in ipairs(read[1][2]) do
      taken[#taken + 1] = entry
    end
  end
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local wait = -1
if first[2] then
  wait = math.max(0, tonumber(first[2]) - now)
end
return {taken, claimed[1], wait}
