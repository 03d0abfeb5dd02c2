"""One name, one thing: what a name stands for does not depend on the file it is read in."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("forensics", "img_ml", "fusion", "worker", "scripts", "benchmarks")
# Architectures keep the names of their parts that their papers and the published tensors have, as timm's files do.
OF_EACH_ARCHITECTURE = {"Attention", "Block"}


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 100
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert set(shared) == OF_EACH_ARCHITECTURE, shared
    assert all(path.startswith("img_ml/networks/") for found in shared.values() for path in found)
