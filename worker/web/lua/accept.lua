-- Accept a job once: the job's own key, its place on the stream, and the idempotency key, or none of them.
-- KEYS: job, jobs stream, idempotency key ("" as ARGV[4] where there is none). ARGV: job id, seconds, message, once,
-- then the fields of the job's hash. Returns the id of the job that stands for the request.
if ARGV[4] ~= "" then
  local known = redis.call("GET", KEYS[3])
  if known then
    return known
  end
  redis.call("SET", KEYS[3], ARGV[1], "EX", ARGV[2])
end
redis.call("HSET", KEYS[1], unpack(ARGV, 5))
redis.call("EXPIRE", KEYS[1], ARGV[2])
redis.call("XADD", KEYS[2], "*", "data", ARGV[3])
return ARGV[1]
