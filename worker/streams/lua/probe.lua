-- Whether this user may run every command that a worker needs on these very keys. Each is asked for something that
-- cannot be done (the id 0-0, a group that is not there), so that nothing changes whatever the answer.
-- KEYS: streams, then sorted sets. ARGV: how many streams, a name that no group has.
-- Returns the refusals, as the command, the key and what Redis says; empty where there are none.
local streams, nobody = tonumber(ARGV[1]), ARGV[2]
local refusals = {}

local function try(command, key, ...)
  local reply = redis.pcall(command, ...)
  if type(reply) == 'table' and reply['err'] then
    local text = reply['err']
    if string.find(text, 'NOPERM', 1, true) or string.find(text, 'ACL failure', 1, true)
      or string.find(text, "can't run this command", 1, true) or string.find(text, "can't access", 1, true) then
      refusals[#refusals + 1] = {command, key, text}
    end
  end
end

for i, key in ipairs(KEYS) do
  try('TYPE', key, key)
  if i <= streams then
    try('XADD', key, key, '0-0', 'probe', '')
    try('XDEL', key, key, '0-0')
    try('XACK', key, key, nobody, '0-0')
    try('XRANGE', key, key, '0-0', '0-0')
    try('XPENDING', key, key, nobody)
    try('XCLAIM', key, key, nobody, nobody, 0, '0-0', 'JUSTID')
    try('XAUTOCLAIM', key, key, nobody, nobody, 0, '0-0', 'JUSTID')
    try('XREADGROUP', key, 'GROUP', nobody, nobody, 'COUNT', 1, 'STREAMS', key, '>')
    try('XGROUP', key, 'CREATE', key, nobody, 'no id')
    try('XGROUP', key, 'DELCONSUMER', key, nobody, nobody)
    try('XINFO', key, 'CONSUMERS', key, nobody)
    try('XLEN', key, key)
  else
    try('ZADD', key, key, 'XX', 0, nobody)
    try('ZREM', key, key, nobody)
    try('ZRANGE', key, key, 0, 0)
    try('ZREVRANGE', key, key, 0, 0)
    try('ZRANGEBYSCORE', key, key, '(0', '0')
    try('ZREMRANGEBYSCORE', key, key, '(0', '0')
    try('ZSCORE', key, key, nobody)
    try('ZCARD', key, key)
  end
end
try('TIME', '')
return refusals
