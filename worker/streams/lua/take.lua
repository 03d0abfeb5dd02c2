-- Take entries for one consumer without ever carrying more than so many bytes: delivery counts and sizes are looked at
-- before payloads.
-- KEYS: jobs. ARGV: what ('new', 'abandoned', 'held'), group, consumer, most entries, most bytes in all, largest message,
-- most deliveries, deliveries from which an entry is tried alone, how many of those to take, then for 'abandoned' the
-- lease in ms and the cursor of the search, for 'held' the ids that this consumer holds and wants to work on.
-- Returns the entries {id, deliveries, bytes, fields}, the next cursor, and how many entries to be tried alone were left.
-- Fields are empty where there are too many bytes or deliveries: such an entry is buried by its id.
local what, group, consumer = ARGV[1], ARGV[2], ARGV[3]
local room, budget, largest, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local alone_from, alone_room = tonumber(ARGV[8]), tonumber(ARGV[9])
local entries, left_alone, carried, seen = {}, 0, 0, 0

local function size_of(fields)
  local bytes = 0
  for _, part in ipairs(fields) do
    bytes = bytes + #part
  end
  return bytes
end

local function add(id, deliveries, fields)
  local bytes = size_of(fields)
  seen = seen + bytes
  if bytes > largest then
    fields = {}
  else
    carried = carried + bytes
  end
  entries[#entries + 1] = {id, deliveries, bytes, fields}
end

local function is_full()
  -- Redis serves nobody else while it looks at payloads.
  return #entries >= room or carried >= budget or seen >= 16 * budget
end

local function take_new()
  while not is_full() do
    local read = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', KEYS[1], '>')
    if not read then
      return
    elseif read['err'] then
      return read
    end
    local entry = read[1][2][1]
    add(entry[1], 1, entry[2])
  end
end

-- Take over an entry that is pending with so many deliveries so far, and count this one.
local function take_pending(id, delivered)
  local deliveries = delivered + 1
  if deliveries > most then
    entries[#entries + 1] = {id, deliveries, 0, {}}
  elseif deliveries >= alone_from and alone_room == 0 then
    left_alone = left_alone + 1
    return
  else
    local found = redis.call('XRANGE', KEYS[1], id, id)[1]
    if not found then
      -- Its message is gone: there is nothing to answer.
      redis.call('XACK', KEYS[1], group, id)
      return
    end
    if deliveries >= alone_from then
      alone_room = alone_room - 1
    end
    add(id, deliveries, found[2])
  end
  redis.call('XCLAIM', KEYS[1], group, consumer, 0, id, 'RETRYCOUNT', deliveries, 'JUSTID')
end

local cursor = '0-0'
if what == 'new' then
  local failed = take_new()
  if failed then
    return failed
  end
elseif what == 'held' then
  for i = 10, #ARGV do
    if is_full() then
      break
    end
    local row = redis.call('XPENDING', KEYS[1], group, ARGV[i], ARGV[i], 1, consumer)[1]
    if row then
      take_pending(row[1], row[4])
    end
  end
else
  local lease = tonumber(ARGV[10])
  local start = ARGV[11] == '0-0' and '-' or '(' .. ARGV[11]
  local rows = redis.pcall('XPENDING', KEYS[1], group, 'IDLE', lease, start, '+', room + 100)
  if rows['err'] then
    return rows
  end
  cursor = '0-0'
  for _, row in ipairs(rows) do
    if is_full() then
      return {entries, cursor, left_alone}
    end
    take_pending(row[1], row[4])
    cursor = row[1]
  end
  if #rows < room + 100 then
    cursor = '0-0'
  end
end
return {entries, cursor, left_alone}
