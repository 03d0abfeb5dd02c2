"""GhostNet over noise residuals: the picture is taken away first, and the network sees what is left.

Han et al., GhostNet: More Features from Cheap Operations, CVPR 2020; the backbone is timm's.
"""

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.srm import srm_filters

# The first is what `python -m img_ml.train ghostnet` takes when nothing else is said.
BACKBONES = ("ghostnet_100", "ghostnet_050", "ghostnet_130")
# The median residual of three colours, and three SRM residuals of each.
CHANNELS = 12
# Residuals beyond it are edges of the picture, not noise (grey levels).
TRUNCATION = 8.0


class ResidualGhostNet(nn.Module):
    """Images n x 3 x H x W in grey levels (0 to 255) in, one logit of AI each (n,) out."""

    def __init__(self, backbone: str = BACKBONES[0]) -> None:
        super().__init__()
        self.backbone = timm.create_model(backbone, pretrained=False, in_chans=CHANNELS, num_classes=1)
        self.register_buffer("filters", torch.from_numpy(srm_filters()).float(), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits."""
        # Differences of neighbouring grey levels: half precision would round away what they are about.
        with torch.autocast(pixels.device.type, enabled=False):
            channels = residual_channels(pixels.float(), self.get_buffer("filters"))
        logits: Tensor = self.backbone(channels)[:, 0]
        return logits


def residual_channels(pixels: Tensor, filters: Tensor) -> Tensor:
    """Noise residuals n x 12 x (H - 4) x (W - 4) in [-1, 1], of images n x 3 x H x W in grey levels.

    First each colour minus its median over 3 x 3 pixels, then each SRM filter's answer (9 x 3 x 5 x 5); all cut off at
    TRUNCATION grey levels, which become 1.
    """
    median = pixels[..., 2:-2, 2:-2] - _median(pixels)[..., 1:-1, 1:-1]
    residuals = torch.cat([median, functional.conv2d(pixels, filters)], dim=1)
    return residuals.clamp(-TRUNCATION, TRUNCATION) / TRUNCATION


def _median(pixels: Tensor) -> Tensor:
    """The median over 3 x 3 pixels around each inner pixel."""
    height, width = pixels.shape[2] - 2, pixels.shape[3] - 2
    around = [pixels[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack(around).median(dim=0).values
