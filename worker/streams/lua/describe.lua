-- What Redis tells about a stream, without the first and the last entry's payloads, which may be enormous.
-- KEYS: stream. Returns its length, last id, id of the first entry (empty: none), and how many entries were ever added
-- (-1 before Redis 7); nothing where there is no such stream.
local told = redis.pcall('XINFO', 'STREAM', KEYS[1])
if told['err'] then
  if string.find(told['err'], 'no such key', 1, true) then
    return false
  end
  return told
end
local found = {}
for i = 1, #told, 2 do
  found[told[i]] = told[i + 1]
end
local first = found['first-entry']
return {found['length'], found['last-generated-id'], first and first[1] or '', found['entries-added'] or -1}
