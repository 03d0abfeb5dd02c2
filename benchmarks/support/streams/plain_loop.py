"""`python -m benchmarks.support.plain_loop`: the least that keeps the promise, read 32, write 32 behind the gate."""

from pathlib import Path
from typing import Any

import redis

import worker
from benchmarks.support.streams.constant import GROUP, JOBS, RESULTS, redis_url, result

BATCH = 32


def main() -> None:
    """Work until killed; no leases, no errors, no stopping, nothing parsed."""
    client: Any = redis.Redis.from_url(redis_url(), protocol=2)
    gate = client.register_script(
        (Path(worker.__file__).parent / "streams" / "lua" / "gate.lua").read_text(encoding="utf-8")
    )
    constant = result()
    client.xgroup_create(JOBS, GROUP, id="0", mkstream=True)
    while True:
        for _, entries in client.xreadgroup(GROUP, "plain", {JOBS: ">"}, count=BATCH, block=5000):
            flat = [part for entry_id, _ in entries for part in (entry_id, constant, *[""] * 6)]
            gate(keys=[JOBS, RESULTS, f"{JOBS}:callbacks", f"{JOBS}:answered"], args=[GROUP, 0, 0, *flat])


if __name__ == "__main__":
    main()
