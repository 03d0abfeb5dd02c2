"""`python train_resnet_hf.py`: `python -m img_ml.train resnet_hf` here."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["resnet_hf"]
    runpy.run_module("img_ml.train", run_name="__main__", alter_sys=True)
