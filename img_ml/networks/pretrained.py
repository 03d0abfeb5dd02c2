"""Networks of transformers loaded from a folder: no code of strangers, no pickle, nothing left random."""

from typing import Any

from forensics.errors import WeightsError
from img_ml.weights.store import Installed


def config_of(weights: Installed) -> Any:
    """The folder's config."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(weights.folder, local_files_only=True, trust_remote_code=False)


def pretrained(kind: Any, weights: Installed, config: Any) -> Any:
    """The network of that kind (AutoModel, ...) in float32, for inference; WeightsError where a tensor is missing."""
    from transformers.utils import logging

    # Loading takes seconds, and what a worker or a script writes to stderr is read by others.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model, found = kind.from_pretrained(
        weights.folder,
        config=config,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    # What a file lacks would be random numbers, and nobody would notice.
    if found["missing_keys"]:
        raise WeightsError(f"{weights.record.name} lacks the tensor {min(found['missing_keys'])}.")
    return model.float().eval().requires_grad_(False)
