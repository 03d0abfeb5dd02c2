"""A small network over standard scores; weights by integrated gradients (Sundararajan et al., 2017)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from fusion.weighers.pickled import unpickled
from fusion.weighers.scaled import Scaling, by_feature, fit_scaling
from fusion.weighers.weigher import Candidate, Rows, Weigher, WeigherKind

FIXED: dict[str, Any] = {"activation": "relu", "batch_size": 128, "learning_rate_init": 1e-4}
MOST_EPOCHS = 60
# With fewer batches in a pass the steps grow as much larger, or a small dataset would end long before it is learned.
_FULL_PASS, _LARGEST_STEP = 50, 1e-2
# Points on the path from the mean image to the image; the gradient is constant between kinks.
_STEPS = 32


@dataclass(frozen=True, slots=True)
class Network:
    """A fitted network and its scaling."""

    scaling: Scaling
    network: MLPClassifier = field(repr=False)

    def margin(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher."""
        return self._margin_and_gradient(self.scaling.inputs(values))[0]

    def contributions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher; the rest that the finite number of steps leaves is spread over the features by their size."""
        inputs = self.scaling.inputs(values)
        gradient = np.zeros_like(inputs)
        for step in range(_STEPS):
            gradient += self._margin_and_gradient(inputs * ((step + 0.5) / _STEPS))[1]
        shares = by_feature(inputs * gradient / _STEPS)
        base = self._margin_and_gradient(np.zeros((1, inputs.shape[1])))[0]
        rest = self._margin_and_gradient(inputs)[0] - base - shares.sum(axis=1)
        size = np.abs(shares)
        part = np.divide(size, size.sum(axis=1, keepdims=True), out=np.zeros_like(size), where=size > 0)
        return np.concatenate([shares + part * rest[:, None], np.repeat(base[:, None], len(values), axis=0)], axis=1)

    def save(self, path: Path) -> None:
        """See Weigher."""
        joblib.dump(self, path)

    def _margin_and_gradient(self, inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The margin (n,) and its gradient (n, inputs) by the chain rule through the rectified layers."""
        weights, biases = self.network.coefs_, self.network.intercepts_
        layer, open_units = inputs, []
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            layer = layer @ weight + bias
            open_units.append(layer > 0)
            layer = np.maximum(layer, 0)
        margin = (layer @ weights[-1] + biases[-1])[:, 0]
        gradient = np.repeat(weights[-1].T, len(inputs), axis=0)
        for weight, is_open in zip(weights[-2::-1], open_units[::-1], strict=True):
            gradient = (gradient * is_open) @ weight.T
        return margin, gradient


def train(rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, rounds: int | None = None) -> Weigher:
    """See Train; a round is a pass over the rows."""
    *_, last = islice(_epochs(rows, candidate, seed), rounds or MOST_EPOCHS)
    return last


def curve(rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, watch: Rows) -> NDArray[np.float64]:
    """See Curve."""
    passes = islice(_epochs(rows, candidate, seed), MOST_EPOCHS)
    return np.array(
        [roc_auc_score(watch.label, one.margin(watch.values), sample_weight=watch.weight) for one in passes]
    )


def _epochs(rows: Rows, candidate: Candidate, seed: int) -> Iterator[Network]:
    """The same network after each pass, without end."""
    scaling = fit_scaling(rows.values)
    inputs = scaling.inputs(rows.values)
    fixed = {**FIXED, "batch_size": min(FIXED["batch_size"], len(inputs)), "learning_rate_init": _step(len(inputs))}
    network = MLPClassifier(**fixed, **candidate, random_state=seed)
    shuffle = np.random.default_rng(seed)
    while True:
        order = shuffle.permutation(len(inputs))
        network.partial_fit(inputs[order], rows.label[order], rows.weight[order], classes=np.array([0, 1]))
        yield Network(scaling, network)


def _step(rows: int) -> float:
    """The learning rate for so many rows."""
    batches = max(1.0, rows / FIXED["batch_size"])
    return float(min(_LARGEST_STEP, FIXED["learning_rate_init"] * max(1.0, _FULL_PASS / batches)))


def load(data: bytes) -> Weigher:
    """The model in verified joblib bytes; ValueError where they are none."""
    return unpickled(data, Network)


KIND = WeigherKind(
    name="mlp",
    title="A network of one or two hidden layers",
    file="fusion.joblib",
    candidates=(
        {"hidden_layer_sizes": (32,), "alpha": 0.1},
        {"hidden_layer_sizes": (32,), "alpha": 3.0},
        {"hidden_layer_sizes": (64, 16), "alpha": 1.0},
    ),
    fixed=FIXED,
    train=train,
    curve=curve,
    load=load,
)
