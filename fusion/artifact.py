"""An artifact on disk: model, manifest, metrics and model card, written beside and moved into place at the end."""

import hashlib
import json
import math
import platform
import shutil
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fusion.card import model_card
from fusion.fit import Fitted, Plan
from fusion.model import MANIFEST_FILE, MODEL_FILE
from fusion.report import Report

LIBRARIES = ("numpy", "pillow", "scikit-learn", "scipy", "xgboost")


def write_artifact(folder: Path, profile: str, fitted: Fitted, report: Report, plan: Plan, dataset: Path) -> None:
    """Write the artifact; an older one in the folder is replaced only once the new one is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fitted.model.save(scratch)
        metrics = _metrics(fitted, report, plan, dataset)
        (scratch / "metrics.json").write_text(_json(metrics), encoding="utf-8")
        (scratch / "MODEL_CARD.md").write_text(model_card(profile, fitted, report, plan), encoding="utf-8")
        (scratch / MANIFEST_FILE).write_text(_json(_manifest(scratch, profile, fitted)), encoding="utf-8")
        scratch.chmod(0o755)
        _replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    old = folder.with_name(f".{folder.name}-replaced")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old)


def _manifest(folder: Path, profile: str, fitted: Fitted) -> dict[str, Any]:
    files = {}
    for name in (MODEL_FILE, "metrics.json", "MODEL_CARD.md"):
        data = (folder / name).read_bytes()
        files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return {
        "profile": profile,
        "files": files,
        "schema": {
            "version": fitted.model.schema.version,
            "sha256": fitted.model.schema.digest(),
            "features": len(fitted.model.schema.features),
        },
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _metrics(fitted: Fitted, report: Report, plan: Plan, dataset: Path) -> dict[str, Any]:
    return {
        "plan": asdict(plan),
        "dataset_sha256": hashlib.sha256(dataset.read_bytes()).hexdigest(),
        "rows": {name: {"views": views, "sources": sources} for name, (views, sources) in report.counts.items()},
        "cross_validation": [{"candidate": c, "auc": value} for c, value in fitted.cross_validation],
        "chosen": fitted.chosen,
        "calibration": asdict(fitted.model.calibration),
        "thresholds": asdict(fitted.model.thresholds),
        "development_out_of_fold": {name: asdict(interval) for name, interval in report.development.items()},
        "test": {name: asdict(interval) for name, interval in report.test.items()},
    }


def _json(content: object) -> str:
    return json.dumps(_finite(content), indent=2) + "\n"


def _finite(content: Any) -> Any:
    """The content with numbers that JSON cannot hold as null."""
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
