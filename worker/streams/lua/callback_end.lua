-- A callback leaves the outbox: delivered, or with a reason to the dead letters if it was still pending in the group.
-- KEYS: callbacks, dead letters. ARGV: group, entry id, then nothing, or the fields of the dead letter.
-- Returns 1 if this call has ended it. What was delivered goes even where somebody else has let it wait.
-- A letter is appended before the callback is acknowledged.
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a stream')
end
if #ARGV > 2 then
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
  if pending['err'] or #pending == 0 then
    return 0
  end
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
