"""Gradient-boosted trees (Chen and Guestrin, XGBoost, 2016); exact weights by TreeSHAP (Lundberg et al., 2020)."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from forensics.registry import entries
from fusion.weighers.weigher import Candidate, Rows, Weigher, WeigherKind

FIXED = {
    "objective": "binary:logistic",
    "eval_metric": "auc",
    "tree_method": "hist",
    "max_bin": 64,
    "eta": 0.04,
    "subsample": 0.6,
    "colsample_bynode": 0.3,
    "lambda": 5.0,
    "base_score": 0.5,
    # One thread: sums in a fixed order, so that the same data and seed give the same file.
    "nthread": 1,
}
MOST_ROUNDS = 800
TRIAL_S = 60.0
_TRIAL_ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
# SHA-256 of trees that were written here, or that ran through.
_TRIED: set[bytes] = set()


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """A booster and the names of its features."""

    booster: xgboost.Booster
    names: tuple[str, ...]

    def margin(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher."""
        return np.asarray(self.booster.predict(self._matrix(values), output_margin=True), dtype=np.float64)

    def contributions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher."""
        return np.asarray(self.booster.predict(self._matrix(values), pred_contribs=True), dtype=np.float64)

    def save(self, path: Path) -> None:
        """See Weigher."""
        # Through Python's own hands: the library's own writing fails on a full disk in ways of its own.
        data = bytes(self.booster.save_raw("ubj"))
        _TRIED.add(hashlib.sha256(data).digest())
        path.write_bytes(data)

    def _matrix(self, values: NDArray[np.float64]) -> xgboost.DMatrix:
        # One thread: for a handful of rows, waking the others takes longer than the work, the more so on busy cores.
        return xgboost.DMatrix(values, missing=np.nan, feature_names=list(self.names), nthread=1)


def train(rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, rounds: int | None = None) -> Weigher:
    """See Train; a round is a tree."""
    settings = {**FIXED, **candidate, **_directions(names), "seed": seed}
    return BoostedTrees(xgboost.train(settings, _labelled(rows, names), rounds or MOST_ROUNDS), names)


def curve(rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, watch: Rows) -> NDArray[np.float64]:
    """See Curve."""
    found: dict[str, dict[str, list[float]]] = {}
    xgboost.train(
        {**FIXED, **candidate, **_directions(names), "seed": seed},
        _labelled(rows, names),
        MOST_ROUNDS,
        evals=[(_labelled(watch, names), "watch")],
        evals_result=found,
        verbose_eval=False,
    )
    return np.array(found["watch"]["auc"])


def _directions(names: tuple[str, ...]) -> dict[str, str]:
    """A detector that finds AI more likely never makes the verdict less so; all other numbers may weigh either way."""
    probabilities = {entry.spec.probability.name for entry in entries() if entry.spec.probability is not None}
    signs = ",".join(str(int(name in probabilities)) for name in names)
    return {"monotone_constraints": f"({signs})"}


def load(data: bytes) -> Weigher:
    """The trees in the bytes of a .ubj file; ValueError where they are none, or bring their library down.

    They are tried in another process first: a damaged tree can lead the library out of its memory.
    """
    digest = hashlib.sha256(data).digest()
    if digest not in _TRIED:
        _try_elsewhere(data)
        _TRIED.add(digest)
    booster = xgboost.Booster(params={"nthread": 1})
    try:
        booster.load_model(bytearray(data))
    except xgboost.core.XGBoostError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    return BoostedTrees(booster, tuple(booster.feature_names or ()))


def _try_elsewhere(data: bytes) -> None:
    """Let a child process load and run the trees; ValueError where it does not come back from that."""
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "fusion.weighers.trial"],
            input=data,
            capture_output=True,
            timeout=TRIAL_S,
            env={name: value for name, value in os.environ.items() if name in _TRIAL_ENVIRONMENT}
            | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"running the trees on fixed inputs takes longer than {TRIAL_S:g} s") from None
    if ended.returncode != 0:
        told = ended.stderr.decode(errors="replace").strip().splitlines()
        why = told[-1] if ended.returncode > 0 and told else f"their library died of it ({ended.returncode})"
        raise ValueError(f"the trees cannot be run: {why}")


def _labelled(rows: Rows, names: tuple[str, ...]) -> xgboost.DMatrix:
    return xgboost.DMatrix(rows.values, missing=np.nan, feature_names=list(names), label=rows.label, weight=rows.weight)


KIND = WeigherKind(
    name="xgboost",
    title="Gradient-boosted trees",
    file="fusion.ubj",
    candidates=tuple({"max_depth": depth, "min_child_weight": weight} for depth, weight in ((3, 5), (5, 5), (5, 30))),
    fixed=FIXED,
    train=train,
    curve=curve,
    load=load,
)
