"""`python img_ml_verify.py IMAGE`: one line of JSON for each image, as `python local_test.py --json` writes it."""

import sys

from img_ml.command import run_command
from local_test import app

if __name__ == "__main__":
    sys.argv[1:1] = ["--json"]
    run_command(app)
