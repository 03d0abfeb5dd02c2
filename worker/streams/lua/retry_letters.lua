-- Put dead letters back on the stream they came from, each as it was there, and remove it from the dead letters.
-- KEYS: dead letters, jobs or callbacks. ARGV: ids of letters.
-- Returns for each: 1 put back, 0 there is no such letter, -1 it holds no job that could be put back.
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a stream')
end
-- What was appended, by dead_letter.lua or for a callback; a letter somebody else wrote has no such end and is put
-- back whole.
local function length_without_appended(fields)
  local rest = #fields - 6
  local count = fields[rest + 5]
  if fields[rest + 1] == 'entry_id' and fields[rest + 3] == 'reason' and (count == 'deliveries' or count == 'attempts') then
    return rest
  end
  return #fields
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
