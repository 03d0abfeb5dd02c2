"""The actor: one judge, loaded once, that scores shard after shard."""

import asyncio
import hashlib
import itertools
import json
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from forensics.errors import ImgMlError, JobError
from forensics.examine import Examined
from forensics.provenance.trust import install_trust_anchors
from forensics.sandbox.sandbox import SandboxRules
from fusion.judge import Judge, load_judge
from fusion.settings import FusionSettings
from fusion.verdict import Verdict
from img_ml.settings import ImgMlSettings
from scripts.scoring.inputs import Piece
from scripts.scoring.reading import Source, bytes_of, sources
from scripts.scoring.rows import Model, part_of, row_of
from worker.errors import InternalError
from worker.fetching.fetch import Fetcher, FetchLimits
from worker.pipeline.decode_pool import DecodePool

Batch = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scoring:
    """All that an actor needs to know; `mark` goes into each part, `trust_anchors` is PEM text, empty for none."""

    detectors: ImgMlSettings
    fusion: FusionSettings
    decoding: SandboxRules
    fetching: FetchLimits
    column: str
    mark: str
    threads: int = 1
    batch_size: int = 32


@dataclass(frozen=True, slots=True)
class _Seen:
    """One image after the analyzers; `sha256` is None where no bytes were had."""

    name: str
    sha256: str | None
    found: Examined | JobError


def shard_record(shard: int, row: int, pieces: Sequence[Piece]) -> dict[str, Any]:
    """What the actor is given of a shard: its number, the number of its first image, and where the images are."""
    return {"shard": shard, "row": row, "pieces": json.dumps([astuple(piece) for piece in pieces])}


class ShardScorer:
    """Turns shards into the content of their parts: the class that Ray Data's `map_batches` calls.

    Images are decoded and examined in processes of their own, which are killed where one takes too long or too much
    memory. Where the judge cannot be loaded, or fails, the answer says why in `problem`.
    """

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._problem = ""
        _hold_threads(scoring.threads)
        try:
            if scoring.decoding.trust_anchors:
                install_trust_anchors(scoring.decoding.trust_anchors)
            self._judge = load_judge(scoring.detectors, scoring.fusion)
        except (ImgMlError, OSError) as error:
            self._problem = str(error)
            return
        self._model = Model(self._judge.profile, self._judge.fingerprint, self._judge.kind)
        self._runner = asyncio.Runner()
        self._pool, self._fetcher = self._runner.run(_stations(scoring))

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """The part of each shard of the batch: columns shard, images, configuration, missing, problem, part."""
        answers = [
            self._answer(int(shard), int(row), str(pieces))
            for shard, row, pieces in zip(batch["shard"], batch["row"], batch["pieces"], strict=True)
        ]
        return {key: np.array([answer[key] for answer in answers], dtype=object) for key in answers[0]}

    def close(self) -> None:
        """End the decoding processes and the connections; an actor's own end does as much."""
        if not self._problem:
            self._runner.run(self._fetcher.close())
            self._pool.close()
            self._runner.close()

    def _answer(self, shard: int, row: int, pieces: str) -> dict[str, Any]:
        answer = {"shard": shard, "images": 0, "configuration": "", "missing": "{}", "part": b""}
        if self._problem:
            return {**answer, "problem": self._problem}
        answer |= {"configuration": self._judge.configuration, "missing": json.dumps(self._judge.missing)}
        try:
            listed = [Piece(*values) for values in json.loads(pieces)]
            rows = self._runner.run(self._rows(row, listed))
        except Exception as error:  # noqa: BLE001 - the boundary: told by the command in a sentence, not by Ray in a trace
            return {**answer, "problem": f"Part {shard} failed: {type(error).__name__}: {error}"[:300]}
        part = part_of(rows, f"{self._scoring.mark} {self._judge.configuration}")
        return {**answer, "images": len(rows), "part": part, "problem": ""}

    async def _rows(self, first: int, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        numbers = itertools.count(first)
        size = self._scoring.batch_size
        async for seen in _ahead((self._seen(*one) for one in sources(pieces, self._scoring.column)), size):
            outcomes = await asyncio.to_thread(_outcomes, self._judge, seen)
            for one, outcome in zip(seen, outcomes, strict=True):
                rows.append(row_of(next(numbers), one.name, one.sha256, outcome, self._model))
        return rows

    async def _seen(self, name: str, source: Source) -> _Seen:
        sha256 = None
        try:
            data = await bytes_of(source, self._fetcher, self._scoring.fetching.max_bytes)
            sha256 = hashlib.sha256(data).hexdigest()
            return _Seen(name, sha256, await self._pool.examine(data, self._judge.analyzers, self._judge.needs_pixels))
        except JobError as error:
            return _Seen(name, sha256, error)
        except Exception as error:  # noqa: BLE001 - the boundary: an image always gets its row
            return _Seen(name, sha256, InternalError(f"Scoring failed on this image ({type(error).__name__})."))


async def _ahead(jobs: Iterator[Coroutine[Any, Any, _Seen]], size: int) -> AsyncIterator[list[_Seen]]:
    """The outcomes in batches, in order; while one is judged the next is being read, and no more than that."""
    waiting = [asyncio.ensure_future(job) for job in itertools.islice(jobs, size)]
    while waiting:
        following = [asyncio.ensure_future(job) for job in itertools.islice(jobs, size)]
        yield await asyncio.gather(*waiting)
        waiting = following


def _outcomes(judge: Judge, seen: Sequence[_Seen]) -> list[Verdict | JobError]:
    """The verdicts, and the errors in their places."""
    verdicts = iter(judge.conclude([one.found for one in seen if isinstance(one.found, Examined)]))
    return [one.found if isinstance(one.found, JobError) else next(verdicts) for one in seen]


async def _stations(scoring: Scoring) -> tuple[DecodePool, Fetcher]:
    pool = DecodePool(scoring.decoding)
    pool.warm()
    return pool, Fetcher(scoring.fetching)


def _hold_threads(threads: int) -> None:
    """Let this process compute on so many threads, and each decoding process on one: actors share the cores."""
    import torch
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    threadpool_limits(threads)
    torch.set_num_threads(threads)
