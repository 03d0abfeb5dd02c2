"""`python img_ml_verify.py IMAGE`: one line of JSON for each image, as `python local_test.py --json` writes it."""

import sys

from local_test import app

if __name__ == "__main__":
    app(["--json", *sys.argv[1:]])
