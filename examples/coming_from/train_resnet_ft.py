"""`python train_resnet_ft.py`: `python -m img_ml.train resnet_ft` here."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["resnet_ft"]
    runpy.run_module("img_ml.train", run_name="__main__", alter_sys=True)
