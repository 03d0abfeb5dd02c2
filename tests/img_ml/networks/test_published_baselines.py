"""Tiny-LaDeDa and NPR in the layouts of their authors' checkpoints; their figures are in tests/fixtures/authors."""

import pytest
import torch

from img_ml.networks.npr_resnet import NprResnet
from img_ml.networks.tiny_ladeda import TinyLadeda, from_published

# The tensors of the authors' WildRF_Tiny_LaDeDa.pth, a file of 12 kB.
RELEASED = {
    "conv1.weight": (8, 3, 1, 1),
    "conv2.weight": (8, 8, 3, 3),
    "layer1.0.conv1.weight": (8, 8, 1, 1),
    "layer1.0.conv2.weight": (8, 8, 3, 3),
    "fc.weight": (1, 8),
    "fc.bias": (1,),
    **{
        f"{norm}.{part}": () if part == "num_batches_tracked" else (8,)
        for norm in ("bn1", "layer1.0.bn1", "layer1.0.bn2")
        for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    },
}


def test_the_released_layout_of_tiny_ladeda_loads() -> None:
    network = TinyLadeda()
    network.load_state_dict(from_published({name: torch.full(shape, 0.5) for name, shape in RELEASED.items()}))
    assert network.head.weight.unique().tolist() == [0.5]
    assert sum(parameter.numel() for parameter in network.parameters()) == 1297


def test_nprs_head_has_another_name_in_its_file() -> None:
    network = NprResnet()
    state = {name.replace("head.", "fc1."): value for name, value in network.state_dict().items()}
    network.load_state_dict(from_published(state))
    assert not any(name.startswith("fc1.") for name in network.state_dict())


@pytest.mark.parametrize("network", [TinyLadeda(), NprResnet()], ids=["tiny_ladeda", "npr_resnet"])
@pytest.mark.parametrize("size", [(33, 47), (64, 64)])
def test_any_size_is_seen_and_an_image_is_the_mean_of_its_places(
    network: TinyLadeda | NprResnet, size: tuple[int, int]
) -> None:
    torch.nn.init.normal_(network.head.weight)
    network.eval()
    pixels = torch.randint(0, 256, (2, 3, *size)).float()
    with torch.inference_mode():
        assert network(pixels).shape == (2,)
        assert network.maps(pixels).mean(dim=(1, 2)).tolist() == pytest.approx(network(pixels).tolist(), abs=1e-4)
