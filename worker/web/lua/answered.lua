-- Write an answer to its job; once no job waits for its upload, let the upload go after a while.
-- KEYS: job, bytes, expiry, sizes, waiting. ARGV: document, state, sha256, now, seconds the image stays.
-- Returns 1 where the job is the gateway's and was not answered before.
if redis.call("EXISTS", KEYS[1]) == 0 or redis.call("HEXISTS", KEYS[1], "document") == 1 then
  return 0
end
redis.call("HSET", KEYS[1], "document", ARGV[1], "state", ARGV[2])
local sha = redis.call("HGET", KEYS[1], "sha256")
if sha and sha ~= "" and redis.call("HINCRBY", KEYS[5], sha, -1) <= 0 then
  if tonumber(ARGV[5]) == 0 then
    redis.call("DEL", KEYS[2])
    redis.call("ZREM", KEYS[3], sha)
    redis.call("HDEL", KEYS[4], sha)
    redis.call("HDEL", KEYS[5], sha)
  elseif redis.call("TTL", KEYS[2]) > tonumber(ARGV[5]) then
    redis.call("EXPIRE", KEYS[2], ARGV[5])
    redis.call("ZADD", KEYS[3], tonumber(ARGV[4]) + tonumber(ARGV[5]), sha)
  end
end
return 1
