"""`python create_my_dataset_csv.py`: `scripts.create_dataset_csv` on the places of SPAI's document."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:] = sys.argv[1:] or ["dataset/mini_gen", "--out", "dataset/my_dataset.csv", "--test", "0"]
    runpy.run_module("scripts.create_dataset_csv", run_name="__main__", alter_sys=True)
