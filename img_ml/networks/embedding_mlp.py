"""The small network over an image embedding: linear, batch norm, ReLU and dropout per hidden layer, then one logit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from forensics.errors import WeightsError
from img_ml.weights.adopt import tensors_in
from img_ml.weights.loading import fill, tensors_of

HIDDEN = (512, 128)
DROPOUT = 0.3
# Every name of a checkpoint begins with it.
_PREFIX = "classifier."


class EmbeddingMlp(nn.Module):
    """Embeddings (n, d) to logits (n,) of "made by AI"."""

    def __init__(self, dimension: int, hidden: Sequence[int] = HIDDEN, dropout: float = DROPOUT) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((dimension, *hidden), hidden, strict=False):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(), nn.Dropout(dropout)]
        self.classifier = nn.Sequential(*layers, nn.Linear((dimension, *hidden)[-1], 1))

    def forward(self, embeddings: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.classifier(embeddings)
        return logits.squeeze(1)


def read_classifier(path: Path) -> dict[str, Tensor]:
    """The tensors of a classifier's file: safetensors, or a PyTorch checkpoint that holds tensors alone.

    Names with and without `classifier.` in front are understood. Raises WeightsError where it cannot be read.
    """
    if not path.is_file():
        raise WeightsError(f"There is no classifier {path}.")
    tensors = tensors_of(path, path.name) if path.suffix == ".safetensors" else tensors_in(path)
    return {key if key.startswith(_PREFIX) else _PREFIX + key: value for key, value in tensors.items()}


def sizes_of(tensors: Mapping[str, Tensor]) -> tuple[int, tuple[int, ...]]:
    """The length of the embedding, and the hidden layers, that a classifier's tensors are of; WeightsError if of none.

    The matrices of its linear layers tell them: (hidden, before) each, (1, last) the last.
    """
    matrices = [(int(key.split(".")[1]), value.shape) for key, value in tensors.items() if _is_matrix(key, value)]
    shapes = [tuple(shape) for _, shape in sorted(matrices)]
    if not shapes or shapes[-1][0] != 1:
        raise WeightsError("The classifier's tensors are not those of a network over embeddings.")
    return shapes[0][1], tuple(shape[0] for shape in shapes[:-1])


def filled(tensors: dict[str, Tensor], name: str, dimension: int, hidden: Sequence[int] = HIDDEN) -> EmbeddingMlp:
    """The network of those sizes with those tensors, ready to judge; WeightsError where they do not fit."""
    network = EmbeddingMlp(dimension, hidden)
    fill(network, tensors, name)
    return network.float().eval().requires_grad_(False)


def _is_matrix(key: str, value: Tensor) -> bool:
    parts = key.split(".")
    return len(parts) == 3 and parts[1].isdigit() and parts[2] == "weight" and value.ndim == 2
