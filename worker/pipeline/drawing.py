"""Maps for people: drawn in the engine's thread once there is a verdict, and kept beside the result for a while."""

from collections.abc import Mapping
from functools import partial

import structlog

from forensics.examine import Examined
from forensics.types import ImageSample
from fusion.interface import JudgeInterface
from fusion.verdict import Verdict
from img_ml.pictures.heatmaps import located_maps, map_png
from worker.observability.telemetry import one_line
from worker.pipeline.batcher import Batcher
from worker.streams.maps import MapStore

_log = structlog.get_logger("worker.maps")


class MapDrawer:
    """Draws the maps of judged images, for jobs that ask for them."""

    def __init__(self, judge: JudgeInterface, batcher: Batcher, store: MapStore) -> None:
        self._judge = judge
        self._batcher = batcher
        self._store = store

    async def draw(self, job_id: str, examined: Examined, verdict: Verdict) -> None:
        """Keep the maps of one image; where that fails there are none, and the verdict stands."""
        if examined.sample is None:
            return
        try:
            maps = await self._batcher.between(partial(_drawn, self._judge, examined.sample, verdict))
            await self._store.keep(job_id, maps)
        except Exception as error:  # noqa: BLE001 - the boundary: no picture is worth a verdict
            _log.warning("maps could not be drawn", job_id=job_id, error=one_line(error))


def _drawn(judge: JudgeInterface, sample: ImageSample, verdict: Verdict) -> Mapping[str, bytes]:
    signals = judge.located(sample, verdict)
    return {signal.detector: map_png(heatmap) for signal, heatmap in located_maps(sample, signals)}
