"""The commands of `python -m img_ml.train`, one network each."""
