"""ManTra-Net: where the traces of processing differ from those around, as a map over the image."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import Heatmap, ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from img_ml.networks.mantranet.network import MantraNet

SPEC = DetectorSpec(
    name="mantranet",
    title="ManTra-Net",
    version=1,
    numbers=(
        Number("mantra_anomaly", 0, 1, "how far the most anomalous spot stands out of the image", headline=True),
        Number("mantra_area", 0, 1, "share of the image that is anomalous, places weighed by their value"),
        Number("mantra_peak", 0, 1, "mean anomaly of the most anomalous spot"),
    ),
    looks_at="every place's traces of processing against those of its surroundings and of the whole image",
    fails_when="the whole image was made or processed in one way; flat, blown-out or strongly textured places stand "
    "out by themselves; compression after the edit hides it",
    tier="full",
    source="Wu et al., ManTra-Net: Manipulation Tracing Network for Detection and Localization of Image Forgeries With "
    "Anomalous Features, CVPR 2019",
)
WEIGHTS = (
    WeightsRecord(
        name="mantranet",
        tier="full",
        origin="local",
        licence="research use only",
        where="the authors publish the Keras weights in https://github.com/ISICV/ManTraNet (pretrained_weights); "
        "a PyTorch state dict of them is in https://github.com/RonyAbecidan/ManTraNet-pytorch (MantraNetv4.pt)",
        files=(WeightFile("model.safetensors", 15_500_000),),
        # A tile of 512 x 512 pixels, and the features of all tiles of an image that are kept.
        footprint=Footprint(3_805_625, 0, 820_000_000 + (1 << 30), most_views=1),
    ),
)
Edges = NDArray[np.intp]

# Spots smaller than this are not worth a peak.
BLOCK = 16
# The longer side of the map that is kept and drawn: a full one of 12 megapixels would take 48 MB for each image.
LARGEST_MAP = 1024


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The network on the setup's device; WeightsError where its weights cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    from img_ml.detectors._tiled_mantranet import TiledMantraNet

    return TiledMantraNet(network_of(weights), setup.device, weights.digest, signal)


def network_of(weights: Installed) -> "MantraNet":
    """The network, on the CPU."""
    from img_ml.networks.mantranet.network import MantraNet, widths_of
    from img_ml.weights.loading import fill, tensors_of

    tensors = tensors_of(weights.file("model.safetensors"), weights.record.name)
    try:
        network = MantraNet(widths_of(tensors))
    except KeyError as error:
        raise WeightsError(f"{weights.record.name} lacks the tensor {error.args[0]}.") from None
    fill(network, tensors, weights.record.name)
    return network.eval().requires_grad_(False)


def signal(sample: ImageSample, heatmap: Heatmap) -> Measured:
    """What the map of an image says.

    The area is the map's mean, the peak the highest mean of a block of 16 pixels a side, and the anomaly peak minus
    area: 0 where all places are alike, whatever their value, near 1 where a small part alone stands out.
    """
    area = float(heatmap.mean(dtype=np.float64))
    rows, columns = (_block_edges(length, BLOCK) for length in heatmap.shape)
    blocks = _block_means(heatmap, rows, columns)
    row, column = np.unravel_index(int(blocks.argmax()), blocks.shape)
    peak = max(float(blocks[row, column]), area)
    numbers = {"mantra_anomaly": peak - area, "mantra_area": area, "mantra_peak": peak}
    place = f"around column {columns[column : column + 2].mean():.0f}, row {rows[row : row + 2].mean():.0f}"
    sentence = f"{area:.1%} of the image is anomalous; the most anomalous spot, {place}, reaches {peak:.2f} of 1."
    return Measured(SPEC.name, numbers, sentence, heatmap=_to_draw(heatmap))


def _to_draw(heatmap: Heatmap) -> Heatmap:
    side = -(-max(heatmap.shape) // LARGEST_MAP)
    rows, columns = (_block_edges(length, side) for length in heatmap.shape)
    return heatmap if side == 1 else _block_means(heatmap, rows, columns).astype(np.float32)


def _block_means(heatmap: Heatmap, rows: Edges, columns: Edges) -> NDArray[np.float64]:
    sums = np.add.reduceat(np.add.reduceat(heatmap, rows[:-1], axis=0, dtype=np.float64), columns[:-1], axis=1)
    means: NDArray[np.float64] = sums / np.outer(np.diff(rows), np.diff(columns))
    return means


def _block_edges(length: int, side: int) -> Edges:
    """Where blocks begin along one axis, and the axis ends; what is left over belongs to the last block."""
    return np.array([*range(0, max(length - side, 0) + 1, side), length])
