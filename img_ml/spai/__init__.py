"""`python -m img_ml.spai`, the name that SPAI's users type; the code lives in `img_ml/train/spai/`."""
