"""`python predict_ensemble.py --votes 7`: `python -m scripts.predict_ensemble` here."""

import runpy

if __name__ == "__main__":
    runpy.run_module("scripts.predict_ensemble", run_name="__main__", alter_sys=True)
