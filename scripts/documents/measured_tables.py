"""What the benchmarks of reading and refusing measured, as Markdown: for their own output and for docs/results.md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]
READ, BROKEN = "read", ("crashed", "hung", "failed")
PROFILES = ("light", "tiny")


def rows(folder: Path) -> list[str]:
    """The section of docs/results.md, from the result files in the folder; what was not measured is left out."""
    lines = []
    for profile in PROFILES:
        for found in _results(folder, f"false_accusations_{profile}"):
            told = f"Profile `{profile}` (`python -m benchmarks.false_accusations`, seed {found['seed']}):"
            lines += [told, "", *accusations(found["rows"]), ""]
    for found in _results(folder, "judgeable_gate"):
        lines += ["The gate alone (`python -m benchmarks.judgeable_gate`):", "", *gate(found["rows"]), ""]
    for found in _results(folder, "provenance_cost"):
        lines += ["Provenance of a file, CPU time of one core (`python -m benchmarks.provenance_cost`):", ""]
        lines += [*cost(found), ""]
    for found in _results(folder, "odd_files"):
        lines += ["Odd files through decoding and provenance (`python -m benchmarks.odd_files`):", ""]
        lines += [*odd(found["rows"]), ""]
    return lines[:-1]


def accusations(found: Rows) -> list[str]:
    """How many images of each kind were called AI, and how many without the gate."""
    lines = _head("images", "count", "AI", "at most (95 %)", "no probability", "AI without the gate")
    for row in found:
        held = ", ".join(f"{count} {reason}" for reason, count in row["not_judged"].items()) or "0"
        share = "-" if not row["images"] else f"{row['upper']:.1%}"
        lines.append(_line(row["name"], row["images"], row["accused"], share, held, row["ungated"]))
    return lines


def gate(found: Rows) -> list[str]:
    """How many images of each folder the gate holds back; out of fold where it learned from them."""
    lines = _head("folder", "kind", "sources", "images", "held back", "why", "learned from")
    for row in found:
        share = f"{row['held_back'] / row['images']:.1%}" if row["images"] else "-"
        why = ", ".join(f"{count} {reason}" for reason, count in row["reasons"].items())
        kind = "drawn" if row["drawn"] else "pictures"
        learned = "other folds" if row.get("out_of_fold") else "no"
        held = f"{row['held_back']} ({share})"
        lines.append(_line(row["name"], kind, row["sources"], row["images"], held, why, learned))
    return lines


def cost(found: Mapping[str, Any]) -> list[str]:
    """What the provenance of a file costs."""
    times = [f"{found[name]:.2f} ms" for name in ("median_ms", "p95_ms", "most_ms")]
    lines = _head("files", "median", "95th percentile", "most", "aim (median)")
    return [*lines, _line(found["files"], *times, f"at most {found['aim_ms']:g} ms")]


def odd(found: Rows) -> list[str]:
    """How the files of each collection ended, and the worst of them."""
    lines = _head("collection", "files", "read", "refused", "broken", "slowest", "most memory")
    for row in found:
        ends, slowest, largest = row["ends"], row["slowest"], row["largest"]
        refused = ", ".join(f"{count} {what}" for what, count in ends.items() if what not in (READ, *BROKEN)) or "0"
        slow = f"{slowest['seconds']:.2f} s ({slowest['file']})"
        large = f"{largest['memory_mb']:.0f} MB ({largest['file']})"
        lines.append(_line(row["name"], row["files"], ends.get(READ, 0), refused, len(row["broken"]), slow, large))
    return lines


def _results(folder: Path, name: str) -> list[Mapping[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"{name}-*.json"))]


def _head(*names: str) -> list[str]:
    return [_line(*names), _line(*["---"] * len(names))]


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
