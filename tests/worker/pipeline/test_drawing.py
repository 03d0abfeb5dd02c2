"""Maps of judged images: drawn where there are pixels, and no failure of theirs reaches the verdict."""

from dataclasses import replace

import numpy as np
import pytest

from forensics.examine import Examined, examine
from forensics.reading.decode import decode
from forensics.types import Measured
from tests.worker import web as pages
from tests.worker.doubles import PlainJudge, verdict_on
from worker.pipeline.batcher import Batcher
from worker.pipeline.drawing import MapDrawer


class Kept:
    def __init__(self) -> None:
        self.maps: dict[str, object] = {}

    async def keep(self, job_id: str, maps) -> None:
        self.maps[job_id] = maps


class Locating(PlainJudge):
    def located(self, sample, verdict):
        ramp = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
        return (Measured("ela", {}, "told", heatmap=ramp),)


class Broken(PlainJudge):
    def located(self, sample, verdict):
        raise RuntimeError("the device is gone")


@pytest.fixture
def examined() -> Examined:
    sample = decode(pages.photo(1))
    return Examined(examine(sample, ()), sample)


async def drawn(judge: PlainJudge, examined: Examined) -> Kept:
    kept, batcher = Kept(), Batcher(judge.conclude, size=1, wait_s=0.001)
    try:
        await MapDrawer(judge, batcher, kept).draw("j", examined, verdict_on(examined))
    finally:
        assert await batcher.close()
    return kept


async def test_each_map_is_kept_as_a_picture(examined: Examined) -> None:
    (png,) = (await drawn(Locating(), examined)).maps["j"].values()
    assert png.startswith(b"\x89PNG")


async def test_a_failure_leaves_no_maps_and_raises_nothing(examined: Examined) -> None:
    assert (await drawn(Broken(), examined)).maps == {}


async def test_without_pixels_there_is_nothing_to_draw_on(examined: Examined) -> None:
    assert (await drawn(Locating(), replace(examined, sample=None))).maps == {}
