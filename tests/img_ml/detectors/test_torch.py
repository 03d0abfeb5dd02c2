"""The base of torch detectors: order, micro-batches, precision, memory."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from forensics.types import ImageSample, Measured, Signal
from img_ml.detectors._torch import Outputs, Parts, TorchDetector
from tests.forensics.pictures import sample_of


def grey(level: int) -> ImageSample:
    return sample_of(np.full((8, 8, 3), level, dtype=np.uint8))


def views(sample: ImageSample) -> list[Tensor]:
    """As many views as the grey level says, at least one."""
    level = int(sample.pixels[0, 0, 0])
    return [torch.full((3, 4, 4), float(level + index)) for index in range(max(1, level))]


def mean_of(sample: ImageSample, outputs: Outputs) -> Signal:
    return Measured("mean", {"mean": float(outputs.mean())}, f"{len(outputs)} views.")


class Core:
    """The mean of each view; notes the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        return batch.mean(dim=(1, 2, 3))


def built(core: object, **options: object) -> TorchDetector:
    return TorchDetector(Parts(views, core, mean_of), "cpu", "mark", **options)


def means(signals: Sequence[Signal]) -> list[float]:
    return [signal.numbers["mean"] for signal in signals]


def test_each_image_gets_the_outputs_of_its_own_views_whatever_the_micro_batches() -> None:
    samples = [grey(level) for level in (3, 1, 7, 2, 5)]
    expected = [level + (level - 1) / 2 for level in (3, 1, 7, 2, 5)]
    for size in (1, 2, 4, 100):
        core = Core()
        assert means(built(core, micro_batch=size)(samples)) == expected
        assert max(core.sizes) <= size
        assert sum(core.sizes) == 18


def test_no_image_gives_no_signal() -> None:
    assert built(Core())([]) == []


def test_views_are_made_as_they_are_needed() -> None:
    made, held = 0, []

    def many(sample: ImageSample) -> object:
        nonlocal made
        for _ in range(40):
            made += 1
            yield torch.zeros(3, 4, 4)

    def core(batch: Tensor) -> Tensor:
        held.append(made)
        return batch.mean(dim=(1, 2, 3))

    TorchDetector(Parts(many, core, mean_of), "cpu", "", micro_batch=4)([grey(0)])
    assert held == list(range(4, 41, 4))


def test_what_overflows_in_low_precision_is_computed_again_in_float32() -> None:
    weight = torch.full((48, 1), 1000.0)
    used: list[torch.dtype] = []

    def core(batch: Tensor) -> Tensor:
        product = batch.flatten(1) @ weight
        used.append(product.dtype)
        return product[:, 0]

    signals = built(core, precision="float16")([grey(1), grey(2)])
    # 48 * 1 * 1000 fits into float16, twice as much does not.
    assert used == [torch.float16, torch.float32]
    assert means(signals) == [48_000, 120_000]


def test_a_network_without_a_finite_answer_fails() -> None:
    with pytest.raises(ValueError, match="not finite"):
        built(lambda batch: batch.mean(dim=(1, 2, 3)) / 0)([grey(1)])


def test_the_micro_batch_is_halved_until_it_fits_and_stays_so() -> None:
    sizes: list[int] = []

    def core(batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch.mean(dim=(1, 2, 3))

    detector = built(core, micro_batch=8)
    assert means(detector([grey(5), grey(4)])) == [7, 5.5]
    assert detector.micro_batch == 2
    assert sizes == [8, 4, 2, 2, 2, 2, 1]


def test_an_image_that_fits_in_no_way_fails() -> None:
    def core(batch: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        built(core)([grey(1)])


def test_nothing_is_recorded_for_gradients() -> None:
    weight = torch.ones(1, requires_grad=True)
    seen: list[bool] = []

    def core(batch: Tensor) -> Tensor:
        result = batch.mean(dim=(1, 2, 3)) * weight
        seen.append(result.requires_grad)
        return result

    built(core)([grey(1)])
    assert seen == [False]


def test_the_network_is_rounded_in_low_precision_and_wide_again_for_what_overflows() -> None:
    network = torch.nn.Linear(48, 1, bias=False).requires_grad_(False)
    network.weight.fill_(1000.0)
    seen: list[tuple[torch.dtype, torch.dtype]] = []

    def core(batch: Tensor) -> Tensor:
        product = network(batch.flatten(1))
        seen.append((network.weight.dtype, product.dtype))
        return product[:, 0]

    detector = TorchDetector(Parts(views, core, mean_of, network), "cpu", "mark", precision="float16")
    assert network.weight.dtype == torch.float16
    assert means(detector([grey(1), grey(2)])) == [48_000, 120_000]
    assert seen == [(torch.float16, torch.float16), (torch.float16, torch.float32)]


def test_a_core_that_is_a_network_is_the_network() -> None:
    network = torch.nn.Flatten()
    assert built(network).module is network
    assert built(Core()).module is None


def test_a_plan_sets_the_micro_batch_but_not_beyond_what_makes_sense() -> None:
    free, tiles = built(Core()), built(Core(), micro_batch=2)
    for detector in (free, tiles):
        detector.follow(32)
    assert (free.micro_batch, tiles.micro_batch) == (32, 2)
    tiles.follow(1)
    assert tiles.micro_batch == 1


def test_what_is_given_to_the_device_is_waited_for_at_the_end() -> None:
    settled: list[int] = []

    def post(sample: ImageSample, outputs: Outputs) -> Signal:
        settled.append(len(outputs))
        return mean_of(sample, outputs)

    core = Core()
    finish = TorchDetector(Parts(views, core, post), "cpu", "", micro_batch=4).started([grey(3), grey(1), grey(7)])
    assert sum(core.sizes) == 11
    # The third image has views in the last micro-batches.
    assert settled == [3, 1]
    assert means(finish()) == [4, 1, 10]
    assert settled == [3, 1, 7]
