-- Move one entry to the dead letters, as it came and with the reason, if it was still pending in the group.
-- KEYS: jobs, dead letters. ARGV: group, entry id, reason, deliveries. Returns 1 if it was moved, else 0.
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a stream')
end
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 0
end
local letter = {}
if found[1] then
  -- unpack() has a limit of about 8000; what lies beyond 2000 fields was never a job.
  for i = 1, math.min(#found[1][2], 4000) do
    letter[i] = found[1][2][i]
  end
end
for _, value in ipairs({'entry_id', ARGV[2], 'reason', ARGV[3], 'deliveries', ARGV[4]}) do
  letter[#letter + 1] = value
end
redis.call('XADD', KEYS[2], '*', unpack(letter))
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
