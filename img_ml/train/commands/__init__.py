"""One file for each command of `python -m img_ml.train`."""
