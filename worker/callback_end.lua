-- A callback leaves the outbox: delivered, or with a reason to the dead letters if it was still pending in the group.
-- KEYS: callbacks, dead letters. ARGV: group, entry id, then nothing, or the fields of the dead letter.
-- Returns 1 if this call has ended it. What was delivered goes even where somebody else has let it wait.
local pending = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
if #ARGV > 2 then
  if pending == 0 then
    return 0
  end
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
end
return redis.call('XDEL', KEYS[1], ARGV[2])
