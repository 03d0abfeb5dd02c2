"""An autoencoder of latent diffusion (AutoencoderKL of diffusers): loaded from a folder, and what it gives back."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from forensics.errors import WeightsError
from img_ml.weights.loading import first_line
from img_ml.weights.quiet_hub import silent

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

# What a folder in the layout of diffusers holds.
CONFIG, TENSORS = "config.json", "diffusion_pytorch_model.safetensors"
# Half of the grey levels: the autoencoder sees them from -1 to 1.
HALF = 127.5


def load_autoencoder(folder: Path, name: str) -> "AutoencoderKL":
    """The autoencoder of a folder in the layout of diffusers, frozen, in float32; no network is asked for anything.

    Names of older releases are understood. Raises WeightsError where a tensor is missing, over or misfit.
    """
    from diffusers import AutoencoderKL

    try:
        with silent("diffusers"):
            loaded, told = AutoencoderKL.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=False,
                output_loading_info=True,
                torch_dtype=torch.float32,
            )
    except Exception as error:
        raise WeightsError(f"{name} does not hold an AutoencoderKL of diffusers: {first_line(error)}") from error
    for problem, key in (("lacks", "missing_keys"), ("has", "unexpected_keys")):
        if told[key]:
            end = "" if problem == "lacks" else ", which is none of this network's"
            raise WeightsError(f"{name} {problem} the tensor {min(told[key])}{end}.")
    network: AutoencoderKL = loaded
    if network.config["in_channels"] != 3 or network.config["out_channels"] != 3:
        raise WeightsError(f"{name} is not an autoencoder of RGB images.")
    return network.eval().requires_grad_(False)


def reconstructed(autoencoder: nn.Module, pixels: Tensor) -> Tensor:
    """What the autoencoder gives back of images n x 3 x H x W in grey levels, in grey levels too (0 to 255).

    The latent image is the mean of its distribution, so that the same image always gives the same.
    """
    network: AutoencoderKL = autoencoder
    latent = network.encode(pixels / HALF - 1).latent_dist.mode()
    image: Tensor = network.decode(latent).sample
    return ((image.float() + 1) * HALF).clamp(0, 2 * HALF)
