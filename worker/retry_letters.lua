-- Put dead letters back on the job stream, each with the fields it came with, and remove it from the dead letters.
-- KEYS: dead letters, jobs. ARGV: ids of letters.
-- Returns for each: 1 put back, 0 there is no such letter, -1 it holds no job that could be put back.
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a stream')
end
-- What dead_letter.lua appended; a letter somebody else wrote has no such end and is put back whole.
local appended = {'entry_id', 'reason', 'deliveries'}
local function length_without_appended(fields)
  local rest = #fields - 2 * #appended
  for i, name in ipairs(appended) do
    if fields[rest + 2 * i - 1] ~= name then
      return #fields
    end
  end
  return rest
end
local outcomes = {}
for i, id in ipairs(ARGV) do
  local letter = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not letter then
    outcomes[i] = 0
  else
    local length = length_without_appended(letter[2])
    -- Empty: the job was gone when it was buried. Too long: unpack() has a limit of about 8000.
    if length < 2 or length > 7000 then
      outcomes[i] = -1
    else
      redis.call('XADD', KEYS[2], '*', unpack(letter[2], 1, length))
      redis.call('XDEL', KEYS[1], letter[1])
      outcomes[i] = 1
    end
  end
end
return outcomes
