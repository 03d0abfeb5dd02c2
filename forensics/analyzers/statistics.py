"""Global statistics: entropy, colour and tone, as means over a few native crops."""

import numpy as np
from numpy.typing import NDArray

from forensics.crops import mean_over_crops, too_small_reason
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.residual import Plane, light_of, planes_of
from forensics.types import ImageSample, Measured, Pixels, Signal, Skipped

SPEC = DetectorSpec(
    name="statistics",
    title="Global statistics",
    version=2,
    numbers=(
        Number("image_entropy", 0, 8, "entropy of the brightness histogram (bits)", "tone", headline=True),
        Number("tone_contrast", 0, 128, "spread of brightness (grey levels)", "tone"),
        Number("tone_dark_share", 0, 1, "share of nearly black pixels", "tone"),
        Number("tone_bright_share", 0, 1, "share of nearly white pixels", "tone"),
        Number("colour_saturation", 0, 1, "mean colour saturation", "colour"),
        Number("colour_saturation_spread", 0, 1, "spread of colour saturation", "colour"),
        Number("colour_colourfulness", 0, 400, "colourfulness", "colour"),
    ),
    looks_at="brightness and colour histograms of up to three native crops",
    fails_when="always, on its own: these numbers describe a style more than an origin",
    source="colourfulness: Hasler and Suesstrunk, Measuring Colourfulness in Natural Images, 2003",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Entropy, tone and colour numbers; of a large image only what the crops show counts."""
    numbers = mean_over_crops(sample.pixels, _measure)
    if numbers is None:
        return Skipped(SPEC.name, too_small_reason())
    sentence = (
        f"Brightness carries {numbers['image_entropy']:.1f} of 8 bits of entropy; "
        f"mean saturation is {numbers['colour_saturation']:.0%}."
    )
    return Measured(SPEC.name, numbers, sentence)


def _measure(crop: Pixels) -> dict[str, float]:
    planes = planes_of(crop)
    light = light_of(planes)
    counts = np.bincount(light.astype(np.uint8).ravel(), minlength=256)
    share = counts[counts > 0] / light.size
    saturation = _saturation(planes)
    return {
        "image_entropy": float(abs(np.sum(share * np.log2(share)))),
        "tone_contrast": float(light.std()),
        "tone_dark_share": float(counts[:8].sum() / light.size),
        # Brightness above 247 and up to 248 is bright too, so the histogram of whole levels cannot tell it.
        "tone_bright_share": np.count_nonzero(light > 247) / light.size,
        "colour_saturation": float(saturation.mean()),
        "colour_saturation_spread": float(saturation.std()),
        "colour_colourfulness": _colourfulness(planes),
    }


def _saturation(planes: NDArray[np.uint8]) -> Plane:
    highest = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
    lowest = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
    return np.asarray(np.divide(highest - lowest, np.maximum(highest, 1), dtype=np.float32))


def _colourfulness(planes: NDArray[np.uint8]) -> float:
    red, green, blue = planes.astype(np.float32)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
