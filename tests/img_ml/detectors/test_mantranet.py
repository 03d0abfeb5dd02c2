"""The ManTra-Net detector: any size in tiles, equal to the whole network; numbers that follow from the map."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from forensics.errors import WeightsError
from forensics.registry import Setup
from forensics.types import ImageSample, Measured
from img_ml.detectors._tiled_mantranet import TiledMantraNet
from img_ml.detectors._torch import Precision
from img_ml.detectors.mantranet import load, signal
from img_ml.networks.mantranet.network import MantraNet, widths_of
from img_ml.weights.store import install
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import write_mantranet


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_mantranet(folder)
    return folder


@pytest.fixture(scope="module")
def network(weights: Path) -> MantraNet:
    tensors = load_file(weights / "mantranet" / "model.safetensors")
    built = MantraNet(widths_of(tensors))
    built.load_state_dict(tensors)
    return built.eval().requires_grad_(False)


def map_of(network: MantraNet, sample: ImageSample, side: int, most_kept: int = 1 << 22) -> np.ndarray:
    (found,) = TiledMantraNet(network, "cpu", "", signal, side=side, most_kept=most_kept)([sample])
    assert isinstance(found, Measured)
    assert found.heatmap is not None
    return found.heatmap


def whole(network: MantraNet, sample: ImageSample) -> np.ndarray:
    pixels = torch.from_numpy(sample.pixels.copy()).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        return network(pixels)[0].numpy()


def test_an_image_of_one_tile_gets_exactly_the_map_of_the_whole_network(network: MantraNet) -> None:
    sample = sample_of(photo()[:120, :100])
    assert np.array_equal(map_of(network, sample, side=120), whole(network, sample))


@pytest.mark.parametrize("most_kept", [0, 1 << 22])
def test_an_image_of_many_tiles_gets_the_map_of_the_whole_network_but_for_rounding(
    network: MantraNet, most_kept: int
) -> None:
    sample = sample_of(photo()[:150, :230])
    tiled, expected = map_of(network, sample, 120, most_kept), whole(network, sample)
    assert tiled.shape == (150, 230)
    assert expected.std() > 0.05
    assert np.abs(tiled - expected).max() < 1e-4


def test_memory_is_bounded_by_the_tile(network: MantraNet, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, ...]] = []
    adapted = network.adapted
    monkeypatch.setattr(network, "adapted", lambda image: (sizes.append(tuple(image.shape)), adapted(image))[1])
    map_of(network, sample_of(photo()[:150, :230]), side=120, most_kept=0)
    assert set(sizes) == {(1, 3, 120, 120)}
    # (150 - 120) / 32 and (230 - 120) / 32 more tiles than one, each seen twice.
    assert len(sizes) == 2 * 2 * 5


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_features_that_overflow_are_computed_again(network: MantraNet, precision: Precision) -> None:
    sample = sample_of(photo()[:60, :70])
    detector = TiledMantraNet(network, "cpu", "", signal)
    detector.precision = precision
    used = []

    def adapted(image: torch.Tensor) -> torch.Tensor:
        used.append(torch.is_autocast_enabled("cpu"))
        features = MantraNet.adapted(network, image)
        return features * float("nan") if used[-1] else features

    network.adapted = adapted
    try:
        (found,) = detector([sample])
    finally:
        del network.adapted
    assert isinstance(found, Measured)
    assert used == [True, False]


def test_the_numbers_follow_from_the_map() -> None:
    sample = sample_of(np.zeros((100, 90, 3), dtype=np.uint8))
    heatmap = np.full((100, 90), 0.1, dtype=np.float32)
    heatmap[32:48, 48:64] = 0.9
    found = signal(sample, heatmap)
    area = 0.1 + 0.8 * 16 * 16 / 9000
    assert found.numbers == pytest.approx({"mantra_anomaly": 0.9 - area, "mantra_area": area, "mantra_peak": 0.9})
    assert found.sentence == (
        "12.3% of the image is anomalous; the most anomalous spot, around column 56, row 40, reaches 0.90 of 1."
    )


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_map_of_one_value_has_no_anomaly(level: float) -> None:
    sample = sample_of(np.zeros((33, 17, 3), dtype=np.uint8))
    assert signal(sample, np.full((33, 17), level, dtype=np.float32)).numbers["mantra_anomaly"] == 0


def test_weights_of_another_network_are_refused_in_a_sentence(weights: Path, tmp_path: Path) -> None:
    tensors = load_file(weights / "mantranet" / "model.safetensors")

    def refused(changed: dict[str, torch.Tensor]) -> str:
        def fill(folder: Path) -> str:
            save_file(changed, folder / "model.safetensors")
            return ""

        install(find("mantranet"), tmp_path, "test", fill)
        with pytest.raises(WeightsError) as caught:
            load(Setup(tmp_path))
        return str(caught.value)

    lacking = {name: value for name, value in tensors.items() if name != "AnomalyDetector.end.0.bias"}
    assert refused(lacking) == "mantranet lacks the tensor AnomalyDetector.end.0.bias."
    lacking = {name: value for name, value in tensors.items() if name != "AnomalyDetector.adaptation.weight"}
    assert refused(lacking) == "mantranet lacks the tensor AnomalyDetector.adaptation.weight."
    assert "extra, which is none of" in refused({**tensors, "extra": torch.zeros(1)})
    assert "not (1, 4, 1, 1)" in refused({**tensors, "AnomalyDetector.sigma_F": torch.zeros(4)})


def test_the_map_of_a_large_image_is_kept_smaller_and_its_numbers_are_those_of_the_full_one() -> None:
    heatmap = np.full((1200, 2500), 0.1, dtype=np.float32)
    heatmap[600:616, 800:816] = 0.9
    found = signal(sample_of(np.zeros((1200, 2500, 3), dtype=np.uint8)), heatmap)
    assert found.heatmap is not None
    assert found.heatmap.shape == (400, 833)
    assert found.heatmap.mean() == pytest.approx(heatmap.mean(), rel=1e-3)
    assert found.heatmap[202, 268] == pytest.approx(0.9)
    assert found.numbers["mantra_peak"] > 0.4
