"""`python predict.py --app resnet`: the contest's command, `python -m scripts.predict` here."""

import runpy

if __name__ == "__main__":
    runpy.run_module("scripts.predict", run_name="__main__", alter_sys=True)
