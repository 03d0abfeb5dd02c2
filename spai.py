"""`python -m spai train | test | infer`: `python -m img_ml.spai` by the name that its users know."""

import runpy

if __name__ == "__main__":
    runpy.run_module("img_ml.spai", run_name="__main__", alter_sys=True)
