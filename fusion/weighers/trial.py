"""`python -m fusion.weighers.trial < fusion.ubj`: loads trees and runs them on fixed inputs, to die in their place."""

import sys

import numpy as np
import xgboost

_ROWS, _MOST_FEATURES = 64, 100_000


def main() -> int:
    """0 where every tree was walked and the numbers are finite; else 1 and a sentence, or the end of the process."""
    booster = xgboost.Booster(params={"nthread": 1})
    try:
        booster.load_model(bytearray(sys.stdin.buffer.read()))
        names = booster.feature_names or []
        if not 0 < len(names) <= _MOST_FEATURES or booster.num_features() != len(names):
            return _refused("they name no features, or others than they weigh")
        matrix = xgboost.DMatrix(_inputs(len(names)), missing=np.nan, feature_names=names, nthread=1)
        # The contributions visit every node of every tree, whatever the inputs.
        found = [booster.predict(matrix, output_margin=True), booster.predict(matrix, pred_contribs=True)]
    except xgboost.core.XGBoostError as error:
        return _refused(str(error).splitlines()[0])
    return 0 if all(np.isfinite(one).all() for one in found) else _refused("they give numbers that are not finite")


def _inputs(features: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Rows of zeros, of nothing, of the largest numbers, and of many others."""
    dice = np.random.default_rng(0)
    rows = dice.normal(size=(_ROWS, features)).astype(np.float32) * np.float32(10) ** dice.integers(-3, 4, (_ROWS, 1))
    rows[0], rows[1], rows[2], rows[3] = 0, np.nan, 1e30, -1e30
    return rows.astype(np.float32)


def _refused(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
