"""`python -m models.train_image_aigc_detector`: `python -m img_ml.train_image_aigc_detector` here."""

import runpy

if __name__ == "__main__":
    runpy.run_module("img_ml.train_image_aigc_detector", run_name="__main__", alter_sys=True)
