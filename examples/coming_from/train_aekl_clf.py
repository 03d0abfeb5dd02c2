"""`python train_aekl_clf.py`: `python -m img_ml.train aekl_clf` here."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["aekl_clf"]
    runpy.run_module("img_ml.train", run_name="__main__", alter_sys=True)
