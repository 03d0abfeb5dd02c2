"""`python -m img_ml.spai train | test | infer | pretrain`."""

from img_ml.train.spai.command import app

if __name__ == "__main__":
    app()
