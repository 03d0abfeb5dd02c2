"""How a network is trained: steps, batches, the learning rate over time, and when to stop."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to train: at most `steps` steps of `batch` crops, validated every `check_every` of them.

    The learning rate rises over the first `warmup` share of the steps and falls as a cosine from there. Training ends
    after `patience` checks without a better AUC. At most `max_validation` images are validated on.

    `warmup_steps` takes the place of `warmup` where it is not 0. With `minutes` training ends after that time, too: the
    learning rate then follows whichever share is larger, that of the steps or that of the time. `average` is the most
    that a running mean of the weights keeps of itself in a step; where it is not 0, the mean is what is validated and
    kept. `smoothing` draws the labels that much from either side towards the middle. `channels_last` lays the colours
    of a pixel side by side, which is faster on a CPU. `betas` are those of AdamW. `rate_shares` are beginnings of
    parameters' names and the share of the learning rate by which those learn.
    """

    steps: int = 20_000
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.05
    check_every: int = 500
    patience: int = 8
    max_validation: int = 2000
    seed: int = 0
    warmup_steps: int = 0
    minutes: float = 0.0
    average: float = 0.0
    smoothing: float = 0.0
    channels_last: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    rate_shares: tuple[tuple[str, float], ...] = ()

    def learning_rate_at(self, step: int, seconds: float = 0.0) -> float:
        """The learning rate of that step, so many seconds after the first."""
        rising = self.warmup_steps or max(1, round(self.warmup * self.steps))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        fallen = (step - rising) / max(1, self.steps - rising)
        if self.minutes:
            fallen = min(1.0, max(fallen, seconds / (60 * self.minutes)))
        return self.learning_rate * (1 + math.cos(math.pi * fallen)) / 2

    def rate_share(self, name: str) -> float:
        """The share of the learning rate by which the parameter of that name learns."""
        return next((share for beginning, share in self.rate_shares if name.startswith(beginning)), 1.0)

    def kept_at(self, step: int) -> float:
        """What the running mean of the weights keeps of itself in that step; less in the first ones."""
        return min(self.average, (1 + step) / (10 + step))

    def is_over(self, step: int, seconds: float) -> bool:
        """Whether so many steps, or so many seconds, are enough."""
        return step >= self.steps or (self.minutes > 0 and seconds >= 60 * self.minutes)
