"""What an installation replaced and nobody could download again: kept in a weights folder of its own, brought back.

FOLDER/replaced/NAME/... and FOLDER/replaced/weights.lock.json; of each name the last one that was replaced.
"""

import json
import logging
import shutil
from pathlib import Path

from img_ml.weights.lock import LockedWeights, read_lock, write_lock

_log = logging.getLogger(__name__)


def folder_in(weights: Path) -> Path:
    """The weights folder of what was replaced in the folder."""
    return weights / "replaced"


def keep(name: str, locked: LockedWeights, old: Path, weights: Path) -> None:
    """Move the folder `old`, in place of which other weights of that name now lie, to what was replaced; say so."""
    kept = folder_in(weights)
    kept.mkdir(exist_ok=True)
    shutil.rmtree(kept / name, ignore_errors=True)
    old.rename(kept / name)
    write_lock(kept, {**read_lock(kept), name: locked})
    _log.warning(
        "The %s that lay there is kept%s: python -m img_ml.weights restore %s brings it back.",
        name,
        _compared(kept / name, weights / name),
        name,
    )


def _compared(old: Path, new: Path) -> str:
    """How good both were on the sources that each held out, where both say so."""
    before, now = _auc(old), _auc(new)
    if before is None or now is None:
        return ""
    verdict = "it was better" if before > now else "it was not better"
    return f" ({verdict} on the sources it held out: AUC {before:.3f}, the new one {now:.3f})"


def _auc(folder: Path) -> float | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = config.get("held_out_auc") if isinstance(config, dict) else None
    return float(found) if isinstance(found, int | float) else None
