"""ManTra-Net over images of any size: tile by tile, with the statistics of the whole image.

The extractor runs over tiles first, and the statistics of all their features are put together; then the anomaly head
runs over the same tiles. An image of one tile gives exactly what the whole network gives. An image of several differs
from that by rounding alone (under 1e-4 of the map's range): the statistics are those of the whole image, and what
belongs to a tile is further from its cut edges than any value reaches.

A megapixel takes about 12 TFLOP: 8.3 by torch's FlopCounterMode over one window of the network, times 512 x 512 over
424 x 424 for the overlap of tiles. Beyond MOST_KEPT pixels it is nearly twice as much.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from forensics.types import Heatmap, ImageSample, Pixels, Signal
from img_ml.detectors._torch import Outputs, Parts, TorchDetector, in_precision, not_finite
from img_ml.engine.tiles import Tile, tiles
from img_ml.networks.mantranet.network import HALO, MantraNet, Statistics

# Pixels to a tile's side: of each tile 424 x 424 are new, and the extractor holds under 1 GB.
SIDE = 512
# Pixels of all tiles together whose features are kept between the two runs (256 bytes each, 1 GiB); the features of
# a larger image are computed twice.
MOST_KEPT = 1 << 22


class TiledMantraNet(TorchDetector):
    """The network as a detector; a tile is its micro-batch, for one fills a device."""

    def __init__(
        self,
        network: MantraNet,
        device: str,
        weights_sha256: str,
        signal: Callable[[ImageSample, Heatmap], Signal],
        *,
        side: int = SIDE,
        most_kept: int = MOST_KEPT,
    ) -> None:
        """`signal` makes a signal of a sample and its map H x W in [0, 1]."""
        self._network, self._signal, self._side, self._most_kept = network, signal, side, most_kept
        parts = Parts(self._standardised, network.AnomalyDetector, self._put_together, network)
        super().__init__(parts, device, weights_sha256, micro_batch=1)

    def prepared(self, samples: Sequence[ImageSample]) -> Callable[[], None]:
        """The bare extractor and the bare head over the tiles of a batch."""
        heads = super().prepared(samples)
        windows = [self._window(sample.pixels, tile) for sample in samples for tile in self._tiles(sample)]

        @torch.inference_mode()
        def passes() -> None:
            for window in windows:
                in_precision(self._network.adapted, window, self.precision)
            heads()

        return passes

    def _standardised(self, sample: ImageSample) -> Iterator[Tensor]:
        """What the anomaly head sees of each tile."""
        placed = self._tiles(sample)
        made: Sequence[Callable[[], Tensor]]
        if len(placed) * placed[0].rows.size * placed[0].columns.size <= self._most_kept:
            made = [_kept(self._features(sample.pixels, tile)) for tile in placed]
        else:
            made = [partial(self._features, sample.pixels, tile) for tile in placed]
        statistics = self._statistics(placed, made)
        for make in made:
            yield self._network.standardised(make(), statistics)[0]

    def _statistics(self, placed: list[Tile], made: Sequence[Callable[[], Tensor]]) -> Statistics:
        parts, pixels = [], []
        for tile, make in zip(placed, made, strict=True):
            own = make()[..., tile.rows.kept, tile.columns.kept]
            parts.append(Statistics.of(own))
            pixels.append(own[0, 0].numel())
        return Statistics.merged(parts, pixels)

    def _features(self, pixels: Pixels, tile: Tile) -> Tensor:
        image = self._window(pixels, tile)
        features = in_precision(self._network.adapted, image, self.precision)
        if self.precision != "float32" and bool(not_finite(features).any()):
            features = in_precision(self._network.adapted, image, "float32")
        return features

    def _window(self, pixels: Pixels, tile: Tile) -> Tensor:
        window = torch.from_numpy(pixels[tile.rows.seen, tile.columns.seen].copy()).to(self._device)
        return window.permute(2, 0, 1)[None].float()

    def _put_together(self, sample: ImageSample, outputs: Outputs) -> Signal:
        heatmap = torch.empty(sample.height, sample.width).numpy()
        for tile, output in zip(self._tiles(sample), outputs, strict=True):
            heatmap[tile.rows.own, tile.columns.own] = output[tile.rows.kept, tile.columns.kept]
        return self._signal(sample, heatmap)

    def _tiles(self, sample: ImageSample) -> list[Tile]:
        return tiles(sample.height, sample.width, self._side, HALO)


def _kept(features: Tensor) -> Callable[[], Tensor]:
    return lambda: features
