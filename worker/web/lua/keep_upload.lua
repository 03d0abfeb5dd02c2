-- Keep an upload's bytes, unless all uploads together would grow too large.
-- KEYS: bytes, expiry (sorted set), sizes (hash), waiting (hash). ARGV: sha256, bytes, now, seconds, cap.
-- Returns 1 where the bytes are kept, 0 where there is no room.
local function forget(sha)
  redis.call("ZREM", KEYS[2], sha)
  redis.call("HDEL", KEYS[3], sha)
  redis.call("HDEL", KEYS[4], sha)
end
for _, sha in ipairs(redis.call("ZRANGEBYSCORE", KEYS[2], "-inf", ARGV[3])) do
  forget(sha)
end
if redis.call("HEXISTS", KEYS[3], ARGV[1]) == 0 then
  local total = #ARGV[2]
  for _, size in ipairs(redis.call("HVALS", KEYS[3])) do
    total = total + tonumber(size)
  end
  if total > tonumber(ARGV[5]) then
    return 0
  end
  redis.call("HSET", KEYS[3], ARGV[1], #ARGV[2])
end
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[4])
redis.call("ZADD", KEYS[2], tonumber(ARGV[3]) + tonumber(ARGV[4]), ARGV[1])
redis.call("HINCRBY", KEYS[4], ARGV[1], 1)
return 1
