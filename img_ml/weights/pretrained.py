"""Networks of transformers loaded from a folder: no code of strangers, no pickle, nothing left random."""

from typing import Any

from forensics.errors import WeightsError
from img_ml.weights.loading import first_line
from img_ml.weights.quiet_hub import silent
from img_ml.weights.store import Installed


def config_of(weights: Installed) -> Any:
    """The folder's config; WeightsError where transformers knows no such network, or would have to run its code."""
    from transformers import AutoConfig

    try:
        with silent("transformers"):
            return AutoConfig.from_pretrained(weights.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise WeightsError(f"The config.json of {weights.record.name} cannot be used: {first_line(error)}") from error


def pretrained(kind: Any, weights: Installed, config: Any) -> Any:
    """The network of that kind (AutoModel, ...) in float32, for inference.

    Raises WeightsError where a tensor is missing or misfits, or the kind has no such network.
    """
    from transformers.utils import logging

    # Loading takes seconds, and what a worker or a script writes to stderr is read by others.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with silent("transformers"):
            model, found = kind.from_pretrained(
                weights.folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except Exception as error:
        raise WeightsError(f"{weights.record.name} cannot be loaded by transformers: {first_line(error)}") from error
    for key, found_shape, wanted in sorted(found["mismatched_keys"]):
        raise WeightsError(
            f"The tensor {key} of {weights.record.name} has the shape {tuple(found_shape)}, not {tuple(wanted)}."
        )
    # What a file lacks would be random numbers, and nobody would notice.
    if found["missing_keys"]:
        raise WeightsError(f"{weights.record.name} lacks the tensor {min(found['missing_keys'])}.")
    return model.float().eval().requires_grad_(False)
