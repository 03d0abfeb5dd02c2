-- Remove consumers that hold nothing from a group: the one that is named, or all that have been silent long enough.
-- KEYS: stream. ARGV: group, least silence in ms, consumer (none: all). Returns how many were removed.
-- Removing one that holds entries would take them out of the group's hands, so it is looked at in the same step.
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers['err'] then
  return 0
end
local removed = 0
for _, row in ipairs(consumers) do
  local found = {}
  for i = 1, #row, 2 do
    found[row[i]] = row[i + 1]
  end
  if found['pending'] == 0 and found['idle'] >= tonumber(ARGV[2]) and (not ARGV[3] or found['name'] == ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], found['name'])
    removed = removed + 1
  end
end
return removed
