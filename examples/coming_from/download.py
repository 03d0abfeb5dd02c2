"""`python download.py`: CIFAKE is Kaggle's to hand out, so its own client is named."""

import sys

if __name__ == "__main__":
    sys.stderr.write(
        "CIFAKE is not downloaded from here: type `kaggle datasets download --unzip -p cifake "
        "birdy654/cifake-real-and-ai-generated-synthetic-images` (Kaggle's client, your kaggle.json), then "
        "`python -m scripts.make_dataset_csv cifake`.\n"
    )
    raise SystemExit(2)
