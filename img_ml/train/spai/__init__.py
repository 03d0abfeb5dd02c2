"""Training and use of SPAI: `python -m img_ml.spai train | test | infer | pretrain`."""
