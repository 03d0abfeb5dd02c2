"""How far our networks are from their authors' code on equal weights: the table in docs/detectors.md."""

import json
from collections.abc import Mapping
from pathlib import Path

# Where more than rounding lies between both.
REASONS: Mapping[str, str] = {
    "siglip2": "transformers 5 resizes by torchvision, which rounds otherwise than Pillow",
}
TOLERANCE, THROUGH_LIBRARIES = 1e-4, 1e-3


def rows(folder: Path) -> list[str]:
    """The section in Markdown, from the results of `python -m benchmarks.authors` in the folder."""
    lines = [
        "## Against the authors' code",
        "",
        "The authors' own code ran on weights and images that follow from a seed; what it gave lies in",
        "`tests/fixtures/authors`. The largest difference of any of our numbers from theirs, as `python -m",
        "benchmarks.authors` measures it: of tensors (logits, features, maps), and from the bytes of pictures to the",
        "probability, their preprocessing included.",
        "",
        "| detector | authors' code | sizes | tensors | from bytes |",
        "|---|---|---|---|---|",
    ]
    measured = json.loads((folder / "authors.json").read_text(encoding="utf-8"))
    for name, found in measured.items():
        told = [f"{found[part]:.0e}" if part in found else "-" for part in ("from_tensors", "from_bytes")]
        repository = str(found["repository"]).removeprefix("https://github.com/")
        code = f"[{repository}]({found['repository']}) at `{found['commit'][:10]}`"
        detector = f"[`{name}`](#{found['detector']})"
        lines.append(f"| {detector} | {code} | {'; '.join(found['cases'])} | {' | '.join(told)}{_reason(name)} |")
    return [*lines, ""]


def tolerance(system: str) -> float:
    """The largest difference that counts as agreement."""
    return THROUGH_LIBRARIES if system in REASONS else TOLERANCE


def _reason(system: str) -> str:
    return f" ({REASONS[system]})" if system in REASONS else ""
