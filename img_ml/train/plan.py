"""How a network is trained: steps, batches, the learning rate over time, and when to stop."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: at most `steps` steps of `batch` crops, watched every `check_every` of them.

    The learning rate rises over the first `warmup` share of the steps and falls as a cosine from there. Training ends
    after `patience` checks without a better AUC. At most `most_watched` images are watched.
    """

    steps: int = 20_000
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.05
    check_every: int = 500
    patience: int = 8
    most_watched: int = 2000
    seed: int = 0

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of that step."""
        rising = max(1, round(self.warmup * self.steps))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (1 + math.cos(math.pi * (step - rising) / max(1, self.steps - rising))) / 2
