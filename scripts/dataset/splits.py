"""Splits that keep groups whole: what shares a source or looks alike never stands on both sides."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from img_ml.data.dataset import SPLITS
from scripts.dataset.near_duplicates import clusters

# A label with fewer groups cannot fill three splits in a way that tells anything.
FEWEST_GROUPS = 5
_TRIES = 200
_STEPS = 400_000

Numbers = NDArray[np.int64]


def groups_of(source: Sequence[str], cluster: Numbers) -> Numbers:
    """The group number of each image: connected by a shared source or a shared cluster."""
    count = len(source)
    links = [
        (int(first), other)
        for key in (np.unique(np.array(source), return_inverse=True)[1], cluster)
        for first, other in zip(_first_of_each(key)[key], range(count), strict=True)
    ]
    return clusters(count, np.array(links, dtype=np.intp).reshape(-1, 2))


def has_few_groups(group: Numbers, label: Numbers, which: int) -> bool:
    """Whether the images of a label lie in fewer than FEWEST_GROUPS groups."""
    return len(np.unique(group[label == which])) < FEWEST_GROUPS


def assign_splits(
    group: Numbers, label: Numbers, identity: Sequence[str], shares: Mapping[str, float], seed: int
) -> list[str]:
    """A split for each image, whole groups at a time, near the shares of each label, each with both labels if it can.

    The same images get the same splits in whatever order they come; `identity` (the bytes' digest) tells them apart.
    """
    names = [split for split in SPLITS if shares.get(split, 0) > 0]
    number, counts = _ordered_groups(group, label, identity)
    wanted = np.array([[shares[name]] for name in names]) * counts.sum(axis=0)
    random = np.random.default_rng(seed)
    tries = int(np.clip(_STEPS // len(counts), 4, _TRIES))
    drawn = [_draw(counts, wanted, random.permutation(len(counts))) for _ in range(tries)]
    best = min(drawn, key=lambda chosen: _misfit(chosen, counts, wanted))
    return [names[best[index]] for index in number]


def _first_of_each(key: Numbers) -> Numbers:
    """The position of the first image of each number."""
    first = np.full(int(key.max()) + 1, -1, dtype=np.int64)
    first[key[::-1]] = np.arange(len(key))[::-1]
    return first


def _ordered_groups(group: Numbers, label: Numbers, identity: Sequence[str]) -> tuple[Numbers, NDArray[np.float64]]:
    """Each image's group numbered in the order of the smallest identities, and (g, 2) images of each label in it."""
    smallest: dict[int, str] = {}
    for key, name in zip(group.tolist(), identity, strict=True):
        smallest[key] = min(name, smallest.get(key, name))
    rank = {key: index for index, key in enumerate(sorted(smallest, key=lambda key: smallest[key]))}
    number = np.array([rank[key] for key in group.tolist()], dtype=np.int64)
    counts = np.zeros((len(rank), 2))
    np.add.at(counts, (number, label), 1)
    return number, counts


def _draw(counts: NDArray[np.float64], wanted: NDArray[np.float64], order: NDArray[np.int64]) -> list[int]:
    """A split number for each group: in the given order, each goes where it leaves the least misfit."""
    lacking = wanted.tolist()
    scale = np.maximum(wanted, 1e-9).tolist()
    chosen = [0] * len(counts)
    groups = counts.tolist()
    for index in order.tolist():
        here = groups[index]
        gains = [
            sum(here[k] * (2 * lack[k] - here[k]) / size[k] for k in (0, 1))
            for lack, size in zip(lacking, scale, strict=True)
        ]
        chosen[index] = best = gains.index(max(gains))
        lacking[best] = [lacking[best][k] - here[k] for k in (0, 1)]
    return chosen


def _misfit(chosen: list[int], counts: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """How far the shares are missed, relative to each label's size; a split without a label costs more than that."""
    got = np.zeros_like(wanted)
    np.add.at(got, np.array(chosen), counts)
    missed = np.abs(got - wanted).sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    return float(missed.sum() + 10 * np.count_nonzero(got == 0))
