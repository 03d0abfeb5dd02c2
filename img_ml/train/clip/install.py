"""From rows to installed weights of `clip_b16`: tokens, heads, one graph."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from img_ml.data.dataset import Row
from img_ml.engine.held_out import source_mark
from img_ml.networks.clip_tower import ClipTower
from img_ml.train.clip.graph import heads_graph, tokens_graph
from img_ml.train.clip.heads import Heads, train_heads
from img_ml.train.clip.published import PACKAGE, RELEASE, WHEEL_SHA256
from img_ml.train.clip.tokens import tokens_of
from img_ml.weights.store import install
from img_ml.weights.table import find


def install_heads(
    tower: ClipTower,
    rows: Sequence[Row],
    members: int,
    strength: float,
    views: int,
    seed: int,
    tokens: Path,
    weights: Path,
    talk: Console,
) -> Heads:
    """Train heads on the rows, and put tower and heads among the weights; `tokens` keeps what the tower made of them.

    Raises DatasetError where the rows do not allow it.
    """
    talk.print(f"{len(rows)} images of {len({row.source for row in rows})} sources for {members} heads.")
    seen = tokens_of(rows, tokens_graph(tower), views, seed, tokens, talk)
    label, source = np.array([row.label for row in seen.rows]), np.array([row.source for row in seen.rows])
    heads = train_heads(seen.tokens, label, source, members, strength, seed)
    graph = heads_graph(tower, heads.weight, heads.bias)
    marks = {source_mark(row.source): int(member) for row, member in zip(seen.rows, heads.member, strict=True)}
    facts = {
        "tower": "CLIP ViT-B/16 of OpenAI (MIT)",
        "taken_from": {"package": PACKAGE, "release": RELEASE, "wheel_sha256": WHEEL_SHA256, "licence": "MIT"},
        "changed": f"the first {seen.tokens.shape[1]} of 12 blocks; activations in float32; heads added",
        "strength": strength,
        "views": views,
        "seed": seed,
        "images": len({row.path for row in seen.rows}),
        "sources": len(set(source.tolist())),
        "held_out_auc": {"all": round(heads.auc, 4), "members": [round(auc, 4) for auc in heads.aucs]},
        "held_out": dict(sorted(marks.items())),
    }

    def fill(stage: Path) -> str:
        (stage / "clip_b16.onnx").write_bytes(graph)
        (stage / "config.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        return RELEASE

    install(find("clip_b16"), weights, f"{PACKAGE} {RELEASE}, heads trained here", fill)
    return heads
