"""Spectrum: the radial profile of fine detail, and the periodic peaks that upsampling leaves."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from forensics.crops import mean_numbers, native_crops, spread_crops, too_small_reason
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.residual import Plane, light_of, median_of, planes_of, square_residual
from forensics.types import ImageSample, Measured, Signal, Skipped

BANDS = 16
JPEG_PERIOD = 8
PERIODICITY_LIMIT = 1000.0


def _band_name(band: int) -> str:
    return f"spectrum_band_{band:02d}"


SPEC = DetectorSpec(
    name="spectrum",
    title="Spectrum",
    version=2,
    numbers=(
        *(
            Number(
                _band_name(band),
                -15,
                5,
                f"detail between {band / BANDS / 2:.2f} and {(band + 1) / BANDS / 2:.2f} cycles/pixel (log10 share)",
                "fine detail" if band >= BANDS // 2 else "coarse detail",
            )
            for band in range(BANDS)
        ),
        Number("spectrum_slope", -20, 20, "steepness with which detail falls off (log-log slope)", "coarse detail"),
        Number("spectrum_axes", -10, 10, "detail along the axes against the diagonals (log ratio)", "fine detail"),
        Number(
            "spectrum_chroma", -10, 10, "fine colour detail against fine brightness detail (log ratio)", "fine detail"
        ),
        Number("spectrum_peak", 0, 100, "strongest isolated peak of the spectrum (sigmas)", "periodic peaks"),
        Number("spectrum_peak_frequency", 0, 0.75, "frequency of that peak (cycles per pixel)", feature=False),
        Number(
            "spectrum_periodicity",
            0,
            PERIODICITY_LIMIT,
            "periodic change of sharpness along rows or columns (peak over background)",
            "periodic peaks",
        ),
        Number(
            "spectrum_every_second",
            -10,
            10,
            "sharpness that alternates every second pixel (log ratio)",
            "periodic peaks",
        ),
        Number(
            "spectrum_every_fourth", -10, 10, "sharpness that repeats every fourth pixel (log ratio)", "periodic peaks"
        ),
        Number("spectrum_period", 2, 64, "period of that change (pixels)", feature=False),
    ),
    looks_at="the Fourier spectrum of native crops, and periodic sharpness as resampling leaves it",
    fails_when="strong compression hides the peaks; fabrics, screens and halftone print have peaks of their own",
    source="Gallagher, Detection of Linear and Cubic Interpolation in JPEG Compressed Images, 2005; "
    "Durall et al., Watch Your Up-Convolution, 2020",
)


@dataclass(frozen=True, slots=True)
class _Bins:
    """What is the same for all crops of one shape: the window, and which places of the half spectrum count for what.

    `radius` is in cycles per pixel. `band` is the band of each place, BANDS beyond the circle, and `counts` the places
    in each; the others are places in the flat spectrum.
    """

    window: Plane
    radius: NDArray[np.float64]
    band: NDArray[np.intp]
    counts: NDArray[np.intp]
    fine_axes: NDArray[np.intp]
    fine_diagonals: NDArray[np.intp]
    off_grid: NDArray[np.intp]


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Radial profile over the spread crops; isolated peaks and periodicity over all native ones.

    Peaks need many crops, because what repeats stays in their mean and what is in the picture fades.
    """
    crops = [planes_of(crop) for crop in spread_crops(sample.pixels)]
    if not crops:
        return Skipped(SPEC.name, too_small_reason())
    lights = [light_of(planes_of(crop)) for crop in native_crops(sample.pixels)]
    numbers = mean_numbers([_profile(crop) for crop in crops])
    peak, frequency = _strongest_peak([_detail(light) for light in lights])
    numbers |= {"spectrum_peak": peak, "spectrum_peak_frequency": frequency}
    numbers |= _periodicity(lights) | _doubling(lights)
    sentence = (
        f"The strongest isolated peak of the spectrum stands {peak:.1f} sigmas out; sharpness repeats "
        f"every {numbers['spectrum_period']:.1f} pixels with "
        f"{numbers['spectrum_periodicity']:.1f} times the background."
    )
    return Measured(SPEC.name, numbers, sentence)


def _profile(planes: NDArray[np.uint8]) -> dict[str, float]:
    """Share of power per radial band (mean per frequency), slope, direction and chroma of the fine half."""
    light = light_of(planes)
    bins = _bins(light.shape)
    power = _power(light).ravel()
    sums = np.bincount(bins.band, weights=power, minlength=BANDS + 1)[:BANDS]
    profile = np.log10((sums / bins.counts + 1e-6) / (sums.sum() / bins.counts.sum() + 1e-6) + 1e-9)
    axes, diagonals = power[bins.fine_axes], power[bins.fine_diagonals]
    chroma = _power(planes[0].astype(np.float32) - planes[1].astype(np.float32)).ravel()
    fine = len(axes) + len(diagonals)
    fine_chroma = (chroma[bins.fine_axes].sum() + chroma[bins.fine_diagonals].sum()) / fine
    return {
        **{_band_name(i): float(value) for i, value in enumerate(profile)},
        "spectrum_slope": float(np.clip(_slope(profile[2:]), -20, 20)),
        "spectrum_axes": _log_ratio(float(axes.mean()), float(diagonals.mean())),
        "spectrum_chroma": _log_ratio(float(fine_chroma), float((axes.sum() + diagonals.sum()) / fine)),
    }


def _slope(profile: NDArray[np.float64]) -> float:
    """The least-squares slope of the last bands' profile over the logarithm of their frequency."""
    centres = np.log10((np.arange(BANDS - len(profile), BANDS) + 0.5) / BANDS / 2)
    centres -= centres.mean()
    return float(np.sum(centres * profile) / np.sum(np.square(centres)))


def _log_ratio(first: float, second: float) -> float:
    return float(np.clip(np.log((first + 1e-6) / (second + 1e-6)), -10, 10))


def _power(plane: Plane) -> NDArray[np.float64]:
    """Power per pixel of the Hann-windowed, mean-free plane (half plane of a real transform)."""
    spectrum = fft.rfft2((plane - plane.mean()) * _bins(plane.shape).window)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.asarray(power.astype(np.float64) / plane.size)


# Nearly all crops have one shape.
@lru_cache(maxsize=16)
def _bins(shape: tuple[int, ...]) -> _Bins:
    radius, nearer_axis = _frequencies(shape)
    inside = radius < 0.5
    band = np.where(inside, np.minimum((radius * 2 * BANDS).astype(np.intp), BANDS - 1), BANDS)
    fine = inside & (radius > 0.25)
    return _Bins(
        np.outer(np.hanning(shape[0]), np.hanning(shape[1])).astype(np.float32),
        radius,
        band.ravel(),
        np.bincount(band[inside], minlength=BANDS),
        np.flatnonzero(fine & nearer_axis),
        np.flatnonzero(fine & ~nearer_axis),
        np.flatnonzero((radius > 0.1) & ~_on_jpeg_grid(shape)),
    )


def _frequencies(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Radial frequency in cycles per pixel, and whether a frequency is nearer to an axis than to a diagonal."""
    rows, columns = np.abs(np.fft.fftfreq(shape[0]))[:, None], np.fft.rfftfreq(shape[1])[None, :]
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    return np.hypot(rows, columns), low < 0.4142 * high


def _detail(light: Plane) -> Plane:
    """What a 3 x 3 mean leaves; unlike the square residual it keeps waves along the axes."""
    padded = np.pad(light, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(light - (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9)


def _strongest_peak(crops: list[Plane]) -> tuple[float, float]:
    """Height in sigmas over the local background, and frequency, of the strongest peak off the JPEG grid.

    Crops of one shape are averaged, so that what repeats over the image stays and its content fades.
    """
    bins = _bins(crops[0].shape)
    same = [crop for crop in crops if crop.shape == crops[0].shape]
    total = np.zeros(bins.radius.shape)
    for crop in same:
        total += np.log(_power(crop) + 1e-3)
    mean = total / len(same)
    relief = (mean - ndimage.uniform_filter(mean, 9, mode=("wrap", "nearest"))).ravel()[bins.off_grid]
    deviation = 1.4826 * median_of(np.abs(relief))
    if deviation < 1e-6:
        return 0.0, 0.0
    best = int(np.argmax(relief))
    return float(np.clip(relief[best] / deviation, 0, 100)), float(bins.radius.flat[bins.off_grid[best]])


def _on_jpeg_grid(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Frequencies within a bin and a half of a multiple of 1/8 on both axes: JPEG blocks peak there by themselves."""

    def near(frequency: NDArray[np.floating], length: int) -> NDArray[np.bool_]:
        steps = frequency * JPEG_PERIOD
        return np.asarray(np.abs(steps - np.rint(steps)) <= 1.5 * JPEG_PERIOD / length)

    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    return np.asarray(near(rows, shape[0]) & near(columns, shape[1]))


def _mean_spectrum(magnitudes: list[Plane], axis: int) -> NDArray[np.float64]:
    """Power spectrum of log mean magnitude along the columns (axis 0) or rows, averaged over crops of one shape."""
    same = [crop for crop in magnitudes if crop.shape == magnitudes[0].shape]
    traces = np.log(np.stack([crop.mean(axis=axis) for crop in same]) + 1e-3)
    # An even length, so that the number of bins tells it.
    traces = traces[:, : traces.shape[1] // 2 * 2]
    spectra = np.fft.rfft(traces - traces.mean(axis=1, keepdims=True))
    return np.asarray(np.square(np.abs(spectra)).mean(axis=0))


def _periodicity(lights: list[Plane]) -> dict[str, float]:
    """The strongest period of sharpness off the JPEG grid (second differences; Gallagher, 2005)."""
    best, best_period = 0.0, 2.0
    magnitudes = [np.abs(square_residual(light)) for light in lights]
    for power in (_mean_spectrum(magnitudes, axis) for axis in (0, 1)):
        frequency, usable = _off_grid(len(power))
        index = int(np.argmax(np.where(usable, power, 0)))
        height = float(power[index] / (np.median(power[usable]) + 1e-6))
        if height > best:
            best, best_period = height, float(1 / frequency[index])
    return {"spectrum_periodicity": min(best, PERIODICITY_LIMIT), "spectrum_period": best_period}


def _doubling(lights: list[Plane]) -> dict[str, float]:
    """Periods of 2 and 4 in the steps between neighbours, against what JPEG blocks and chance explain.

    Doubling leaves second differences even, but steps within an old pixel differ from steps between two.
    """
    found = []
    for axis in (1, 0):
        power = _mean_spectrum([np.abs(np.diff(light, axis=axis)) for light in lights], 1 - axis)
        _, usable = _off_grid(len(power))
        background = float(np.median(power[usable])) + 1e-6
        blocks = max(_near(power, 1 / 8), _near(power, 3 / 8), background)
        found.append([_log_ratio(_near(power, 1 / 2), blocks), _log_ratio(_near(power, 1 / 4), blocks)])
    second, fourth = np.max(found, axis=0)
    return {"spectrum_every_second": float(second), "spectrum_every_fourth": float(fourth)}


def _off_grid(bins: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Frequencies of a real spectrum of that many bins, and which are neither low nor multiples of 1/8."""
    length = 2 * (bins - 1)
    frequency = np.arange(bins) / length
    steps = frequency * JPEG_PERIOD
    usable = (frequency > 1 / 16) & (np.abs(steps - np.rint(steps)) > 1.5 * JPEG_PERIOD / length)
    return frequency, usable


def _near(power: NDArray[np.float64], frequency: float) -> float:
    """The strongest power within one bin of a frequency."""
    middle = round(frequency * 2 * (len(power) - 1))
    return float(power[max(middle - 1, 1) : middle + 2].max())
