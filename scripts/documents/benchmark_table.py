"""What the committed benchmark results say, beside what was aimed at: the table in docs/benchmarks.md."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_PEERS = ("dramatiq", "taskiq", "celery")


def rows(folder: Path) -> list[str]:
    """The table in Markdown, one block of rows for each machine that left results in the folder."""
    machines = sorted({path.stem.partition("-")[2] for path in folder.glob("stream-*.json")})
    lines = ["| measured | aim | median | least to most |", "|---|---|---|---|"]
    for machine in machines:
        found = {path.stem.partition("-")[0]: _read(path) for path in sorted(folder.glob(f"*-{machine}.json"))}
        lines += [f"| {' | '.join(row)} |" for row in _rows(found)]
    return lines


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    stream = found["stream"]
    best = max(_PEERS, key=lambda peer: stream["jobs_per_second"][peer])
    for setting in ("32 in flight", "256 in flight", "32 in flight, 2 processes"):
        name = f"img_ml, {setting}"
        if name not in stream["jobs_per_second"]:
            continue
        told = f"stream layer, {setting}, no log lines: jobs/s"
        yield f"{told} to those of the plain loop", "0.5", *_ratio(stream["ratio_to"]["plain loop"][name])
        yield f"{told} to those of the best framework ({best})", "5", *_ratio(stream["ratio_to"][best][name])
    if "pipeline" in found:
        ratio = found["pipeline"]["ratio"]["images_per_second"]
        yield "light profile from HTTP to results: images/s to those of the bare engine", "0.9", *_ratio(ratio)
    if "latency" in found:
        overhead = [run["overhead"]["p50"] for run in found["latency"]["runs"]]
        middle = f"{found['latency']['ms']['overhead']['p50']:.1f} ms"
        told = "one job at a time: p50 of the overhead over the engine"
        yield told, "at most 10 ms", middle, f"{min(overhead):.1f} to {max(overhead):.1f} ms"
    if "gateway" in found:
        gateway = found["gateway"]
        profile = gateway["settings"]["profile"]
        ratio = gateway["ratio"]["images_per_second"]
        yield f"profile {profile}: images/s through the gateway to those without it", "0.9", *_ratio(ratio)
        overhead = gateway["ms"]["overhead outside the worker"]
        told = "one image at a time: p50 of the gateway's overhead over the stream (p99 beside it)"
        yield told, "-", f"{overhead['p50']:.1f} ms", f"p99 {overhead['p99']:.1f} ms"
    if "memory" in found:
        memory = found["memory"]
        told = f"resident memory after {memory['settings']['jobs']:,} jobs to that after a tenth of them"
        yield told, "at most 1.1", f"{memory['ratio_last_to_first']:.3f}", "one run"


def _ratio(ratio: Mapping[str, float]) -> tuple[str, str]:
    return f"{ratio['median']:.2f}", f"{ratio['min']:.2f} to {ratio['max']:.2f}"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
