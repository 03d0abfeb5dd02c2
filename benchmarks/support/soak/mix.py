"""The soak's jobs: mostly good ones, a share of each hostile kind, in an order that follows from a seed."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.support.soak.pages import GOOD

# How a job of a kind may end: a verdict, an error result, or a dead letter.
DONE, ERROR, BURIED = "done", "error", "dead letter"
_PAGES = (
    "not-an-image",
    "many-scans",
    "pixel-bomb",
    "many-chunks",
    "lying-avif",
    "crash",
    "hang",
    "bloat",
    "cut",
    "drip",
    "gzip-bomb",
    "broken-gzip",
    "broken-off",
    "fails",
    "redirects",
)
ENDS: Mapping[str, frozenset[str]] = {
    "good": frozenset({DONE}),
    "silent receiver": frozenset({DONE}),
    **dict.fromkeys(_PAGES, frozenset({ERROR})),
    "many-chunks": frozenset({DONE, ERROR}),
    "cut": frozenset({DONE, ERROR}),
    "blocked": frozenset({ERROR}),
    "no url": frozenset({ERROR, BURIED}),
    "large message": frozenset({BURIED}),
    "no JSON": frozenset({BURIED}),
    "deep JSON": frozenset({BURIED}),
    "deadly": frozenset({BURIED}),
}
RARE = "deadly"
HOSTILE = tuple(kind for kind in ENDS if kind not in ("good", RARE))


@dataclass(frozen=True, slots=True)
class SoakJob:
    """One entry of the stream: its kind, its id, and what stands in the field `data`."""

    kind: str
    job_id: str
    data: bytes


def mixed(count: int, share: float, deadly: int, port: int, seed: int) -> Iterator[SoakJob]:
    """So many jobs, `share` of them of each hostile kind, and `deadly` ones that kill the worker itself."""
    draw = random.Random(seed)
    deaths = frozenset(draw.sample(range(count), min(deadly, count)))
    for number in range(count):
        place = draw.random() / share
        kind = HOSTILE[int(place)] if place < len(HOSTILE) else "good"
        yield _job(RARE if number in deaths else kind, number, port)


def _job(kind: str, number: int, port: int) -> SoakJob:
    job_id = f"{kind} {number}"
    good, hostile = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    job: dict[str, object] = {"jobId": job_id, "clientId": "soak"}
    match kind:
        case "good":
            job["image_url"] = f"{good}/{number % GOOD}?{number}"
            if number % 10 == 0:
                job["callback_url"] = f"{good}/hook"
        case "silent receiver":
            job |= {"image_url": f"{good}/{number % GOOD}?{number}", "callback_url": f"{hostile}/silent"}
        case "blocked":
            job["image_url"] = ("http://10.0.0.1/", "http://[::1]/", "http://2130706433/")[number % 3]
        case "large message":
            job |= {"image_url": f"{good}/1", "more": "x" * (300 * 1024)}
        case "no JSON":
            return SoakJob(kind, job_id, b"{\xff not JSON")
        case "deep JSON":
            return SoakJob(kind, job_id, b"[" * 100_000)
        case "no url":
            pass
        case _:
            job["image_url"] = f"{hostile}/{kind}?{number}"
    return SoakJob(kind, job_id, json.dumps(job).encode())
