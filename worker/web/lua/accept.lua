-- Accept a job once: the job's own key, its place on the stream, and the idempotency key, or none of them.
-- A request that was accepted before gives back its claim on the upload.
-- KEYS: job, jobs stream, idempotency key ("" as ARGV[4] where there is none), bytes, expiry, sizes, waiting.
-- ARGV: job id, seconds, message, once, sha256 or "", now, seconds the image stays, then the fields of the job's hash.
-- Returns the id of the job that stands for the request.
if ARGV[4] ~= "" then
  local known = redis.call("GET", KEYS[3])
  if known then
    local sha = ARGV[5]
    if sha ~= "" and redis.call("HINCRBY", KEYS[7], sha, -1) <= 0 then
      redis.call("EXPIRE", KEYS[4], math.max(tonumber(ARGV[7]), 1))
      redis.call("ZADD", KEYS[5], tonumber(ARGV[6]) + tonumber(ARGV[7]), sha)
    end
    return known
  end
  redis.call("SET", KEYS[3], ARGV[1], "EX", ARGV[2])
end
redis.call("HSET", KEYS[1], unpack(ARGV, 8))
redis.call("EXPIRE", KEYS[1], ARGV[2])
redis.call("XADD", KEYS[2], "*", "data", ARGV[3])
return ARGV[1]
