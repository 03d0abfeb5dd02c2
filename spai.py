"""`python -m spai train | test | infer`: `python -m img_ml.spai` by the name that its users know."""

from img_ml.command import run_command
from img_ml.train.spai.command import app

if __name__ == "__main__":
    run_command(app)
