"""The tower's tokens against open_clip's own network of the same weights, and its graph against the tower."""

import numpy as np
import torch
from open_clip.transformer import QuickGELU, VisionTransformer

from img_ml.engine.onnx_session import session_of
from img_ml.networks.clip_tower import MEAN, SIDE, STD, ClipTower
from img_ml.train.clip.graph import heads_graph

WIDTH, HEADS, BLOCKS = 64, 4, 3


def test_tokens_are_those_of_open_clip_after_each_block() -> None:
    torch.manual_seed(0)
    theirs = VisionTransformer(SIDE, 16, WIDTH, BLOCKS, HEADS, 4.0, output_dim=8, act_layer=QuickGELU).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    seen: list[torch.Tensor] = []
    for block in theirs.transformer.resblocks:
        block.register_forward_hook(lambda _, __, out: seen.append(out))
    ours = ClipTower(BLOCKS - 1, WIDTH, HEADS)
    ours.load_visual(theirs.state_dict())
    pixels = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    inputs = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        theirs(inputs)
        tokens = ours(pixels)
    assert tokens.shape == (2, BLOCKS - 1, 2, WIDTH)
    for block in range(BLOCKS - 1):
        assert torch.allclose(tokens[:, block, 0], seen[block][:, 0], atol=1e-4, rtol=1e-4)
        assert torch.allclose(tokens[:, block, 1], seen[block][:, 1:].mean(dim=1), atol=1e-4, rtol=1e-4)


def test_the_graph_gives_the_logits_of_tower_and_heads_whatever_else_is_in_the_batch() -> None:
    torch.manual_seed(1)
    tower = ClipTower(2, WIDTH, HEADS).eval()
    weight, bias = torch.randn(5, 2 * WIDTH) / 10, torch.randn(5)
    pixels = torch.randint(0, 256, (3, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = torch.nn.functional.linear(tower(pixels)[:, -1].flatten(1), weight, bias).numpy()
    exact = session_of(heads_graph(tower, weight.numpy(), bias.numpy()), 1)
    small = session_of(heads_graph(tower, weight.numpy(), bias.numpy(), smallest=1000), 1)
    (found,) = exact.run(None, {"pixels": pixels.numpy()})
    np.testing.assert_allclose(found, expected, atol=1e-4)
    (rounded,) = small.run(None, {"pixels": pixels.numpy()})
    np.testing.assert_allclose(rounded, expected, atol=0.1)
    (alone,) = small.run(None, {"pixels": pixels[:1].numpy()})
    np.testing.assert_allclose(alone[0], rounded[0], atol=1e-5)
