"""`python -m img_ml.train_image_aigc_detector`: `img_ml.train siglip2` by the name that the framework's users know."""

from img_ml.command import run_command
from img_ml.train.commands.siglip2 import app

if __name__ == "__main__":
    run_command(app)
