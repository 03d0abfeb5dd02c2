"""Cross-fitted members from rows to weights that a detector loads: trained, exported, and put where they belong."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from safetensors.torch import save
from torch import Tensor

from forensics.errors import UsageError
from forensics.files import write_atomically
from img_ml.data.dataset import Row
from img_ml.networks.position_logits import PositionLogits
from img_ml.train.crossfit.members import CrossfitWorkspace, checkpoint_of, train_members
from img_ml.train.crossfit.onnx_export import exported
from img_ml.train.crossfit.rows import Fold, folds_of, held_out
from img_ml.train.crossfit.small_networks import NetworkDesign, network_of
from img_ml.train.loop import Trained
from img_ml.train.pixel_store import build_pixel_store
from img_ml.train.plan import TrainingPlan
from img_ml.weights.lock import LockedWeights
from img_ml.weights.record import WeightFile, WeightsRecord
from img_ml.weights.store import install
from img_ml.weights.table import find

# A member that takes more is stored in half precision, in bytes.
LARGEST_MEMBER = 2_400_000


def crossfit(
    design: NetworkDesign,
    plan: TrainingPlan,
    rows: Sequence[Row],
    extra: tuple[Sequence[Row], float],
    members: int,
    pixels: Path,
    place: CrossfitWorkspace,
    talk: Console,
) -> tuple[list[Fold], list[Trained]]:
    """Train `members` networks on the rows outside test; `extra` are more images by AI and their share of these.

    `pixels` is the folder for decoded images. Raises DatasetError where the rows do not allow it, KeyboardInterrupt
    (the checkpoints written) after Ctrl-C.
    """
    network_of(design, plan.seed)  # What it lacks is told before the images are decoded.
    folds = folds_of(rows, extra[0], members, plan.seed)
    usable = [row for row in rows if row.split != "test"]
    added = {row.path for fold in folds for row in fold.extra}
    if extra[0] and not added:
        raise UsageError("None of the extra images is of a source of train or val: --extra would change nothing.")
    talk.print(
        f"{len(usable)} images of {len({row.source for row in usable})} sources for {members} members"
        + (f", and {len(added)} of {len(extra[0])} extra ones." if extra[0] else ".")
    )
    paths = sorted({row.path for row in usable} | added)
    store = build_pixel_store(paths, pixels, talk)
    return folds, train_members(design, plan, folds, extra[1], store, place)


def install_crossfit(
    design: NetworkDesign,
    plan: TrainingPlan,
    folds: Sequence[Fold],
    trained: Sequence[Trained],
    weights: Path,
    folder: Path,
) -> LockedWeights:
    """Put the graph of all members among the weights, their tensors into the folder, and take the checkpoints away."""
    networks = [_filled(design, one) for one in trained]
    graph = exported(networks, LARGEST_MEMBER)
    write_atomically(folder / "model.safetensors", save(_stacked(trained)))
    facts = {
        **design.facts(),
        "members": [
            {
                "seed": plan.seed + member,
                "step": one.progress.best_step,
                "held_out_auc": round(one.progress.best_auc, 4),
                "images": len(fold.division.training),
                "extra_images": len(fold.extra),
                "sources": len({row.source for row in fold.division.training}),
            }
            for member, (fold, one) in enumerate(zip(folds, trained, strict=True))
        ],
        "held_out": dict(sorted(held_out(folds).items())),
    }

    def fill(stage: Path) -> str:
        (stage / f"{design.name}.onnx").write_bytes(graph)
        (stage / "config.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        return ""

    locked = install(_record(design), weights, "trained here", fill)
    for member in range(len(trained)):
        checkpoint_of(folder, member).unlink(missing_ok=True)
    return locked


def _record(design: NetworkDesign) -> WeightsRecord:
    """The record of the detector's own network; that of a baseline, which no detector loads, is like it."""
    files = (WeightFile("config.json"), WeightFile(f"{design.name}.onnx"))
    return replace(find("crop_network"), name=design.name, files=files)


def _filled(design: NetworkDesign, trained: Trained) -> PositionLogits:
    network = network_of(replace(design, start="scratch"), 0)
    network.load_state_dict(trained.state)
    return network


def _stacked(trained: Sequence[Trained]) -> dict[str, Tensor]:
    """The best states of all members as one, `0.` and so on before the names of each."""
    states = [{f"{place}.{name}": value for name, value in one.state.items()} for place, one in enumerate(trained)]
    return {name: value.contiguous() for state in states for name, value in state.items()}
