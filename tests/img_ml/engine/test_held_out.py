"""What a member learned from is judged by the member that did not."""

import numpy as np
from scipy.special import expit

from img_ml.engine.held_out import held_out_probability, source_mark


def test_a_source_gets_the_number_of_the_member_that_held_it_out() -> None:
    held_out = {source_mark("a"): 0, source_mark("b"): 2}
    logits = np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3], [np.nan] * 3], dtype=np.float32)
    probability = np.array([0.5, 0.5, 0.5, np.nan])
    found = held_out_probability(probability, logits, np.array(["a", "b", "unknown", "a"]), held_out)
    assert np.allclose(found, [expit(1.0), expit(3.0), 0.5, np.nan], equal_nan=True)
    assert probability[0] == 0.5
