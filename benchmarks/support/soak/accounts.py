"""The soak's accounts: what was pushed, how each job ended, and what does not agree."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from benchmarks.support.soak.mix import BURIED, ENDS, SoakJob
from benchmarks.support.streams.constant import JOBS, RESULTS

DLQ, LATER = f"{JOBS}:dlq", f"{JOBS}:later"
_AT_ONCE = 1000


class Accounts:
    """Every job that was pushed, by its id; messages that name no job by the id of their entry."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._kinds: dict[str, str] = {}
        self._entries: dict[str, str] = {}
        self._ends: dict[str, list[str]] = {}
        self._last = {RESULTS: "0", DLQ: "0"}

    def push(self, jobs: Iterable[SoakJob]) -> None:
        """Put the jobs on the stream."""
        chosen = list(jobs)
        with self._client.pipeline(transaction=False) as pipe:
            for job in chosen:
                pipe.xadd(JOBS, {"data": job.data})
            entries = pipe.execute()
        for job, entry in zip(chosen, entries, strict=True):
            self._kinds[job.job_id] = job.kind
            self._entries[entry.decode()] = job.job_id

    def look(self) -> None:
        """Note what has ended since the last look."""
        while found := self._client.xread(self._last, count=_AT_ONCE):
            for stream, entries in found:
                name = stream.decode()
                for entry, fields in entries:
                    self._last[name] = entry.decode()
                    self._note(fields) if name == RESULTS else self._note_letter(fields)

    def _note(self, fields: dict[bytes, bytes]) -> None:
        document = json.loads(fields[b"data"])
        self._ends.setdefault(document["job_id"], []).append(document["status"])

    def _note_letter(self, fields: dict[bytes, bytes]) -> None:
        job_id = self._entries.get(fields[b"entry_id"].decode(), "unknown entry")
        self._ends.setdefault(job_id, []).append(BURIED)

    @property
    def pushed(self) -> int:
        """How many jobs were put on the stream."""
        return len(self._kinds)

    @property
    def ended(self) -> int:
        """How many of them have an end by now."""
        return len(self._ends)

    def outcomes(self) -> dict[str, dict[str, int]]:
        """How the jobs of each kind ended."""
        found: dict[str, Counter[str]] = {}
        for job_id, kind in self._kinds.items():
            found.setdefault(kind, Counter()).update(self._ends.get(job_id, ["lost"]))
        return {kind: dict(sorted(found[kind].items())) for kind in ENDS if kind in found}

    def problems(self) -> list[str]:
        """Jobs that are lost, ended twice, ended otherwise than their kind may, or that nobody pushed."""
        wrong = [f"{job_id} was never pushed" for job_id in self._ends.keys() - self._kinds.keys()]
        for job_id, kind in self._kinds.items():
            ends = self._ends.get(job_id, [])
            if len(ends) != 1:
                wrong.append(f"{job_id} ended {len(ends)} times {ends}")
            elif ends[0] not in ENDS[kind]:
                wrong.append(f"{job_id} ended as {ends[0]}")
        return wrong

    def left(self) -> dict[str, int]:
        """What is left in Redis of the jobs."""
        return {"in the stream": int(self._client.xlen(JOBS)), "put aside": int(self._client.zcard(LATER))}
