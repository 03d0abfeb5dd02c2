"""The memory plan: everything stays if it can, else as little as possible is moved; and the command that tells it."""

import json
from pathlib import Path

import torch
from typer.testing import CliRunner

from img_ml.engine.__main__ import app
from img_ml.engine.device import GIB, memory_of
from img_ml.engine.footprint import footprint
from img_ml.engine.memory_plan import RESERVED, Demand, MemoryPlan, Placed, demands, plan
from img_ml.profiles import Profile
from img_ml.weights.table import find

MIB = 1 << 20


def demand(name: str, weights: float, view: float = 0.01, most: int = 0) -> Demand:
    return Demand(name, name, int(weights * GIB), int(view * GIB), most)


SMALL, MIDDLE, LARGE = demand("small", 0.5), demand("middle", 1), demand("large", 3)


def places(found: MemoryPlan) -> dict[str, str]:
    return {one.demand.detector: one.place for one in found.placed}


def room(found: MemoryPlan) -> None:
    assert found.memory is not None
    assert found.most_bytes <= found.memory * GIB


def test_without_a_limit_everything_stays_with_all_views() -> None:
    found = plan([SMALL, LARGE], None, 8)
    assert found.placed == (Placed(SMALL, "stays", 8), Placed(LARGE, "stays", 8))


def test_what_fits_together_stays() -> None:
    found = plan([SMALL, MIDDLE, LARGE], 6, 8)
    assert set(places(found).values()) == {"stays"}
    assert found.moved_bytes == 0
    room(found)


def test_smaller_micro_batches_come_before_moving() -> None:
    wide = demand("wide", 1, 0.25)
    found = plan([wide, SMALL], 1 + 1.5 + 0.6, 8)
    assert found.placed == (Placed(wide, "stays", 2), Placed(SMALL, "stays", 8))
    room(found)


def test_what_does_not_fit_together_takes_turns_with_as_few_bytes_moved_as_possible() -> None:
    found = plan([SMALL, MIDDLE, LARGE], 1 + 4.2, 8)
    assert places(found) == {"small": "takes turns", "middle": "takes turns", "large": "stays"}
    assert found.moved_bytes == 1.5 * GIB
    room(found)


def test_where_only_the_largest_fits_all_take_turns() -> None:
    found = plan([SMALL, MIDDLE, LARGE], 1 + 3.1, 8)
    assert set(places(found).values()) == {"takes turns"}
    room(found)


def test_one_that_takes_turns_needs_room_beside_no_other_that_does() -> None:
    tiles = demand("tiles", 0.1, 2, most=1)
    found = plan([tiles, LARGE], 1 + 3.2, 8)
    assert places(found) == {"tiles": "takes turns", "large": "takes turns"}
    room(found)


def test_what_does_not_fit_alone_keeps_nothing_else_away() -> None:
    found = plan([SMALL, MIDDLE, LARGE], 1 + 2, 8)
    assert places(found) == {"small": "stays", "middle": "stays", "large": "does not fit"}
    assert found.of("large") == Placed(LARGE, "does not fit", 0)
    room(found)


def test_a_network_gets_no_more_views_than_make_sense() -> None:
    tiles = demand("tiles", 0.1, 2, most=1)
    assert [one.micro_batch for one in plan([tiles, SMALL], 4, 8).placed] == [1, 8]
    assert plan([tiles], None, 8).placed[0].micro_batch == 1


def test_every_plan_of_many_sizes_keeps_its_limit() -> None:
    many = [demand(str(number), 0.1 * (1 + number * 7 % 11), 0.02 * (1 + number % 3)) for number in range(8)]
    moved = []
    for tenths in range(12, 80):
        found = plan(many, tenths / 10, 16)
        room(found)
        moved.append(found.moved_bytes)
        assert len(found.placed) == len(many)
    assert moved[-1] == 0


def test_matrices_count_half_in_low_precision(tmp_path: Path) -> None:
    profile = Profile("own", ("dino",), tmp_path, "full")
    (half,), (whole,) = demands(profile, low_precision=True), demands(profile, low_precision=False)
    facts = find("dinov2-large").footprint
    assert facts is not None
    assert whole.weights_bytes == 4 * facts.parameters
    assert whole.weights_bytes - half.weights_bytes == 2 * facts.matrices
    assert demands(profile, low_precision=True, folder=tmp_path) == []


def test_a_profile_chooses_the_weights_that_count(tmp_path: Path) -> None:
    profile = Profile("own", ("dino", "ela"), tmp_path, "full", {"dino": {"weights": "dinov2-base"}})
    assert [one.weights for one in demands(profile, low_precision=True)] == ["dinov2-base"]


def test_a_footprint_holds_what_is_alive_at_one_time() -> None:
    layers = torch.nn.Sequential(*(torch.nn.Linear(1000, 1000) for _ in range(5)))
    found = footprint(layers, layers, (1000,))
    assert found.parameters == found.matrices == 5 * 1_001_000
    assert 2 * 4000 <= found.view_bytes <= 3 * 4000


def test_the_limit_is_for_accelerators() -> None:
    assert memory_of("cpu", 8) is None
    assert memory_of("mps", None) is None
    assert memory_of("cuda", 0) is None
    assert memory_of("cuda", 8) == 8


def test_the_command_tells_the_plan_as_a_table_and_as_json() -> None:
    run = CliRunner().invoke(app, ["plan", "full", "--memory", "24", "--json"])
    assert run.exit_code == 0
    content = json.loads(run.stdout)
    assert content["memory_gib"] == 24
    assert content["reserved_bytes"] == RESERVED
    assert {"detector", "weights_bytes", "place", "micro_batch"} <= set(content["networks"][0])
    table = CliRunner().invoke(app, ["plan", "full", "--memory", "24"])
    assert "dinov2-large" in table.stdout
    assert "are taken at one time" in table.stderr


def test_the_command_says_what_does_not_fit_and_ends_with_1() -> None:
    run = CliRunner().invoke(app, ["plan", "full", "--memory", "1.1"])
    assert run.exit_code == 1
    assert "does not fit" in run.stdout


def test_an_unknown_profile_is_a_sentence() -> None:
    run = CliRunner().invoke(app, ["plan", "huge", "--memory", "24"])
    assert run.exit_code == 2
    assert run.stderr.startswith("Error: There is no profile")
