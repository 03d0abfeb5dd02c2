"""`python -m scripts.create_dataset_csv ROOT --out dataset.csv`: `make_dataset_csv` by the name SPAI's users know."""

from img_ml.command import run_command
from scripts.make_dataset_csv import app

if __name__ == "__main__":
    run_command(app)
