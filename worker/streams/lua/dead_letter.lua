-- Move one entry to the dead letters, as it came and with the reason, if it was still pending in the group. A message
-- larger than allowed goes by its id alone: nobody could read it there.
-- KEYS: jobs, dead letters. ARGV: group, entry id, reason, deliveries, largest message in bytes.
-- Returns 1 if it was moved, else 0. The letter is appended before the entry is acknowledged.
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a stream')
end
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then
  return 0
end
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
local letter = {}
if found then
  local bytes = 0
  for _, part in ipairs(found[2]) do
    bytes = bytes + #part
  end
  -- unpack() has a limit of about 8000; what lies beyond 2000 fields was never a job.
  for i = 1, bytes <= tonumber(ARGV[5]) and math.min(#found[2], 4000) or 0 do
    letter[i] = found[2][i]
  end
end
for _, value in ipairs({'entry_id', ARGV[2], 'reason', ARGV[3], 'deliveries', ARGV[4]}) do
  letter[#letter + 1] = value
end
local id = redis.call('XADD', KEYS[2], '*', unpack(letter))
local reply = redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
if type(reply) == 'table' and reply['err'] then
  redis.pcall('XDEL', KEYS[2], id)
  return reply
end
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
