"""Changes by hand that make the numbers dishonest while everything goes on working."""

from benchmarks.support.mutants.mutant import replaced

_FIT, _CROPS, _LOOP = "fusion/training/fit.py", "forensics/crops.py", "img_ml/train/loop.py"
_CLASSIFYING = "img_ml/train/classifying.py"
_CALIBRATION, _REASONS, _BOOTSTRAP = "fusion/calibration.py", "fusion/reasons.py", "img_ml/data/bootstrap.py"

# The file, the change in words, the text that stands there, and the text in its place.
_CHANGES = (
    (
        _FIT,
        "every fold's model learns from all rows",
        "return self._kind.train(self._rows(rows, self._struck)",
        "return self._kind.train(self._rows(np.arange(len(self._table)), self._struck)",
    ),
    (_CALIBRATION, "an error budget is rounded up", "np.floor(rate", "np.ceil(rate"),
    (_FIT, "early stopping watches struck values", "rows[watch], table.values", "rows[watch], self._struck"),
    (
        _CALIBRATION,
        "the calibration ignores weights",
        "-np.sum(weight * log_expit(sign * log_odds)) / weight.sum()",
        "-np.mean(log_expit(sign * log_odds))",
    ),
    (
        _REASONS,
        "an aspect is told by its largest number, whichever way it speaks",
        "contributions[i] * np.sign(weight)",
        "abs(contributions[i])",
    ),
    (_BOOTSTRAP, "an interval of 95 % holds 90 %", "LEVEL = 0.95", "LEVEL = 0.9"),
    (_CROPS, "crops leave the grid of JPEG's blocks", "(count - 1)) // 8 * 8", "(count - 1))"),
    (_CROPS, "a crop in the middle leaves the grid", "last // 2 // 8 * 8", "last // 2"),
    (_CROPS, "three crops of a wide picture lie in one line", "tops[i % len(tops)]", "tops[0]"),
    (_CROPS, "three crops of a tall picture lie in one line", "lefts[i % len(lefts)]", "lefts[0]"),
    (_CROPS, "crops do not reach the far edge", "last * i / (count - 1)", "last * i / count"),
    (_LOOP, "held-out images are scored in training mode", "self._evaluated.eval()", "self._evaluated.train()"),
    (
        _CLASSIFYING,
        "labels are not smoothed",
        "labels * (1 - 2 * self._plan.smoothing) + self._plan.smoothing",
        "labels",
    ),
    (_LOOP, "biases decay", 'plain, "weight_decay": 0.0', 'plain, "weight_decay": plan.weight_decay'),
    (
        _LOOP,
        "the running mean lacks the buffers",
        "average.state_dict().values(), network.state_dict().values()",
        "average.parameters(), network.parameters()",
    ),
)
BY_HAND = tuple(replaced(*change) for change in _CHANGES)
