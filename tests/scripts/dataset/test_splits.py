"""Splits keep groups whole, come near the wanted shares, and do not depend on the order of the files."""

import numpy as np
import pytest

from scripts.dataset.splits import assign_splits, groups_of

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}
random = np.random.default_rng(0)
LABEL = np.repeat([0, 1], 300)
GROUP = np.concatenate([random.integers(0, 40, 300), random.integers(30, 70, 300)])
NAMES = [f"{number:04}" for number in random.permutation(600)]


def test_groups_stay_whole_and_each_label_comes_near_its_share() -> None:
    split = np.array(assign_splits(GROUP, LABEL, NAMES, SHARES, seed=0))
    assert all(len(set(split[group == GROUP])) == 1 for group in np.unique(GROUP))
    for label in (0, 1):
        for name, share in SHARES.items():
            assert np.mean(split[label == LABEL] == name) == pytest.approx(share, abs=0.05)


def test_the_order_of_the_images_and_the_numbers_of_the_groups_do_not_matter() -> None:
    order = np.random.default_rng(1).permutation(600)
    first = np.array(assign_splits(GROUP, LABEL, NAMES, SHARES, seed=3))
    again = assign_splits(1000 - GROUP[order], LABEL[order], [NAMES[index] for index in order], SHARES, seed=3)
    assert again == first[order].tolist()


def test_another_seed_gives_other_splits() -> None:
    first, second = (assign_splits(GROUP, LABEL, NAMES, SHARES, seed=seed) for seed in (0, 1))
    assert first != second


def test_every_split_gets_both_labels_where_the_groups_allow_it() -> None:
    label = np.array([0] * 50 + [0, 0] + [1] * 50 + [1, 1])
    group = np.array([0] * 50 + [1, 2] + [3] * 50 + [4, 5])
    split = np.array(assign_splits(group, label, [f"{i:03}" for i in range(104)], SHARES, seed=0))
    assert all({0, 1} == set(label[split == name].tolist()) for name in SHARES)


def test_groups_join_what_shares_a_source_or_a_cluster() -> None:
    group = groups_of(["a", "a", "b", "c", "c"], np.array([0, 1, 1, 2, 3]))
    assert group[0] == group[1] == group[2]
    assert group[3] == group[4] != group[0]
