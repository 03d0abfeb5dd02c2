"""Put one image on the job stream, wait for its verdict, print it as JSON.

pip install redis
python producer.py IMAGE_URL [CALLBACK_URL]

Exit codes: 0 a verdict, 1 the image could not be judged, 2 usage or no Redis, 3 no answer in time.
"""

import json
import os
import sys
import time
import uuid
from typing import Any

import redis

JOBS, RESULTS = "stream:ai:imageml:jobs", "stream:ai:imageml:results"
TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "120"))


def judged(client: Any, image_url: str, callback_url: str | None = None) -> dict[str, Any] | None:
    """The result of one image; None where no worker answers in time."""
    # Remembered before pushing: the answer may be there before the push returns.
    last = client.xrevrange(RESULTS, count=1)
    after = last[0][0] if last else "0-0"
    job = {"jobId": str(uuid.uuid4()), "clientId": "c1", "image_url": image_url, "callback_url": callback_url}
    client.xadd(JOBS, {"data": json.dumps(job)})
    deadline = time.monotonic() + TIMEOUT_S
    while (left := deadline - time.monotonic()) > 0:
        for _, entries in client.xread({RESULTS: after}, count=100, block=max(1, int(min(left, 5) * 1000))):
            for entry_id, fields in entries:
                after = entry_id
                result: dict[str, Any] = json.loads(fields["data"])
                if result["job_id"] == job["jobId"]:
                    return result
    return None


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print("usage: python producer.py IMAGE_URL [CALLBACK_URL]", file=sys.stderr)
        return 2
    url = os.environ.get("REDIS_URL", "redis://localhost:6379")
    # Replies look the same in every release of redis-py with protocol 2.
    with redis.Redis.from_url(url, protocol=2, decode_responses=True, socket_timeout=30) as client:
        try:
            result = judged(client, *sys.argv[1:])
        except redis.RedisError as error:
            print(f"Redis cannot be used: {error}", file=sys.stderr)
            return 2
    if result is None:
        print(f"No answer within {TIMEOUT_S:g} s: does a worker run?", file=sys.stderr)
        return 3
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return 0 if result["status"] == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
