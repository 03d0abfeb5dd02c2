"""What detectors reached by themselves, beside what their own documents claim: the table in docs/results.md."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What the documents that these detectors come from say of them, on their own images.
CLAIMS: Mapping[str, str] = {
    "aekl_prob": "accuracy .957 to .966",
    "resnet_ft_prob": "accuracy .989 to .991",
    "resnet_hf_prob": "accuracy .880 to .936",
    "saturation_cnn_prob": "accuracy .803 to .809 (FLUX), .767 to .940 (CIFAKE)",
    "siglip2_prob": "no figures",
    "spai_prob": "AUC .910, accuracy .805",
}


def rows(folder: Path) -> list[str]:
    """The table in Markdown, from the results of `python -m benchmarks.detectors` in the folder."""
    lines = [
        "| number | val: AUC | test: AUC | test: AUC within sources | test: accuracy at 0.5 | claimed |",
        "|---|---|---|---|---|---|",
    ]
    for path in sorted(folder.glob("detectors-*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        val = {one["name"]: one for one in found["val"]}
        for one in found["test"]:
            name = one["name"]
            parts = (val[name]["auc"], one["auc"], one["within_source_auc"], one["accuracy"])
            cells = [f"`{name}`", *map(_told, parts), CLAIMS.get(name, "-")]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _told(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    over = estimate["sources"]
    return f"{estimate['value']:.3f} ({over['low']:.3f} to {over['high']:.3f})"
