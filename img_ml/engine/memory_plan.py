"""The memory plan: which networks of a profile stay on the device, which take turns, and how many views each gets."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from forensics.errors import WeightsError
from forensics.registry import get
from img_ml.engine.device import GIB
from img_ml.profiles import Profile
from img_ml.weights.record import Footprint, WeightsRecord
from img_ml.weights.store import state_of
from img_ml.weights.table import find, needed

Place = Literal["stays", "takes turns", "does not fit"]

# What the driver's context, the libraries' workspaces and the images on the device take beside the networks.
RESERVED = GIB
_WIDE, _NARROW = 4, 2
# Before a network is moved for every batch, micro-batches are made smaller, but no smaller than by this.
_LEAST_SHARE = 4
# A network that tells nothing of itself, and the views of one whose footprint is not in the table.
_UNTOLD = Footprint(16_000_000, 0, 64 << 20)


@dataclass(frozen=True, slots=True)
class Demand:
    """What one detector takes, in bytes: its network's weights, and one view while it runs; 0 `most_views`: any."""

    detector: str
    weights: str
    weights_bytes: int
    view_bytes: int
    most_views: int = 0

    def views(self, wanted: int) -> int:
        """How many of the wanted views it can get at once."""
        return min(wanted, self.most_views) if self.most_views else wanted


@dataclass(frozen=True, slots=True)
class Placed:
    """One detector of a plan: where its network is, and how many views it gets at once (0: it does not fit)."""

    demand: Demand
    place: Place
    micro_batch: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How the networks of a profile share `memory` GiB of a device (None: without limit)."""

    memory: float | None
    placed: tuple[Placed, ...]

    def of(self, detector: str) -> Placed | None:
        """Where the detector's network is; None where the plan knows nothing of it."""
        return next((one for one in self.placed if one.demand.detector == detector), None)

    @property
    def kept_bytes(self) -> int:
        """Weights that never leave the device."""
        return sum(one.demand.weights_bytes for one in self.placed if one.place == "stays")

    @property
    def moved_bytes(self) -> int:
        """Weights that are moved to the device for every batch."""
        return sum(one.demand.weights_bytes for one in self.placed if one.place == "takes turns")

    @property
    def most_bytes(self) -> int:
        """The most that is taken at one time, with what is set aside."""
        turning = [one for one in self.placed if one.place == "takes turns"]
        slot = max((one.demand.weights_bytes for one in turning), default=0)
        staying = [slot + _running(one) for one in self.placed if one.place == "stays"]
        alone = [one.demand.weights_bytes + _running(one) for one in turning]
        return RESERVED + self.kept_bytes + max([*staying, *alone], default=0)


def demands(profile: Profile, *, low_precision: bool, folder: Path | None = None) -> list[Demand]:
    """What each learned detector of the profile takes; with a `folder`, only those whose weights lie there.

    `low_precision`: matrices in 16 bits, as on cuda.
    """
    return [
        _demand(name, records, low_precision)
        for name, records in _chosen(profile)
        if folder is None or all(state_of(record, folder) == "present" for record in records)
    ]


def plan(demanded: Sequence[Demand], memory: float | None, views: int) -> MemoryPlan:
    """The plan that moves the fewest bytes; of `memory` GiB, `RESERVED` bytes are set aside.

    Every network gets `views` at once, or half of that and so on. Everything stays if it fits with a quarter of them.
    If not, as few bytes as possible take turns in a room that holds the largest of them.
    """
    if memory is None:
        return MemoryPlan(None, tuple(Placed(demand, "stays", demand.views(views)) for demand in demanded))
    budget = int(memory * GIB) - RESERVED
    fitting = [demand for demand in demanded if demand.weights_bytes + demand.view_bytes <= budget]
    found: dict[str, Placed] = {}
    for least in (max(1, views // _LEAST_SHARE), 1):
        found = _arranged(fitting, budget, views, least)
        if found:
            break
    return MemoryPlan(
        memory, tuple(found.get(demand.detector, Placed(demand, "does not fit", 0)) for demand in demanded)
    )


def described(one: MemoryPlan) -> dict[str, Any]:
    """The plan for JSON."""
    return {
        "memory_gib": one.memory,
        "reserved_bytes": RESERVED,
        "kept_bytes": one.kept_bytes,
        "moved_bytes": one.moved_bytes,
        "most_bytes": one.most_bytes,
        "networks": [
            {**asdict(placed.demand), "place": placed.place, "micro_batch": placed.micro_batch} for placed in one.placed
        ],
    }


def _chosen(profile: Profile) -> Iterator[tuple[str, tuple[WeightsRecord, ...]]]:
    """The learned detectors and the weights that the profile chooses for them; none where they have no such weights."""
    for name in profile.detectors:
        # Those of the profile's `devices` are somewhere else.
        if get(name).load is None or get(name).on_cpu or name in profile.devices:
            continue
        wanted = profile.options.get(name, {}).get("weights")
        try:
            yield name, needed(name, profile.tier) if wanted is None else (find(wanted),)
        except WeightsError:
            # Told when the detector is loaded.
            continue


def _demand(name: str, records: Sequence[WeightsRecord], low_precision: bool) -> Demand:
    each = [_footprint(record) for record in records] or [_UNTOLD]
    width = _NARROW if low_precision else _WIDE
    return Demand(
        detector=name,
        weights=", ".join(record.name for record in records),
        weights_bytes=sum(_WIDE * (one.parameters - one.matrices) + width * one.matrices for one in each),
        view_bytes=max(one.view_bytes for one in each),
        most_views=min(one.most_views for one in each),
    )


def _footprint(record: WeightsRecord) -> Footprint:
    return record.footprint or replace(_UNTOLD, parameters=max(record.size // _WIDE, 1))


def _arranged(demanded: Sequence[Demand], budget: int, views: int, least: int) -> dict[str, Placed]:
    """The arrangement that moves the fewest bytes and gives every network at least so many views; {} if none does."""
    best: tuple[int, dict[str, Placed]] | None = None
    for count in (0, *range(2, len(demanded) + 1)):
        for turning in combinations(demanded, count):
            moved = sum(demand.weights_bytes for demand in turning)
            if best is not None and moved >= best[0]:
                continue
            kept = sum(demand.weights_bytes for demand in demanded) - moved
            slot = max((demand.weights_bytes for demand in turning), default=0)
            # While one that takes turns runs, no other one is there; while another runs, the largest of them may be.
            sizes = {
                demand.detector: _micro_batch(
                    demand, budget - kept - (demand.weights_bytes if demand in turning else slot), views
                )
                for demand in demanded
            }
            if all(sizes[demand.detector] >= demand.views(least) for demand in demanded):
                best = (
                    moved,
                    {
                        demand.detector: Placed(
                            demand, "takes turns" if demand in turning else "stays", sizes[demand.detector]
                        )
                        for demand in demanded
                    },
                )
    return best[1] if best else {}


def _micro_batch(demand: Demand, room: int, views: int) -> int:
    """The most views, halved as often as needed, that run in the room beside all weights; 0: not one."""
    fitting = demand.views(views)
    while fitting and demand.view_bytes * fitting > room:
        fitting //= 2
    return fitting


def _running(one: Placed) -> int:
    return one.demand.view_bytes * one.micro_batch
