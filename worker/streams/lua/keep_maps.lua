-- Keep the maps of a job, and let go of the oldest where they are too many.
-- KEYS: the job's maps, all jobs with maps (sorted set, by time). ARGV: job id, maps, now, seconds, most jobs.
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[4])
redis.call("ZADD", KEYS[2], ARGV[3], ARGV[1])
local excess = redis.call("ZCARD", KEYS[2]) - tonumber(ARGV[5])
if excess > 0 then
  for _, job in ipairs(redis.call("ZRANGE", KEYS[2], 0, excess - 1)) do
    redis.call("DEL", KEYS[2] .. ":" .. job)
  end
  redis.call("ZREMRANGEBYRANK", KEYS[2], 0, excess - 1)
end
return 1
