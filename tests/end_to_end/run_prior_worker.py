"""`python -m tests.end_to_end.run_prior_worker`: the real worker, with published classifiers for tests registered."""

from tests.fusion.published import register_all
from worker.__main__ import app

if __name__ == "__main__":
    register_all()
    app()
