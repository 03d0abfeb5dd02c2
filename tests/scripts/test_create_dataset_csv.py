"""The layout that SPAI's users have: mini_gen/<generator>/{train,val}/{ai,nature}."""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from img_ml.train.spai.rows import divided, read
from scripts.create_dataset_csv import app

GENERATORS = ("imagenet_ai_0419_biggan", "imagenet_ai_0424_sdv5", "imagenet_glide", "imagenet_midjourney")


def test_a_mini_gen_tree_becomes_a_dataset_that_spai_trains_on(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for generator in GENERATORS:
        for split, count in (("train", 3), ("val", 2)):
            for kind in ("ai", "nature"):
                folder = tmp_path / "dataset" / "mini_gen" / generator / split / kind
                folder.mkdir(parents=True)
                for number in range(count):
                    pixels = random.integers(0, 256, (70, 80, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / f"{number}.png")
    out = tmp_path / "my_dataset.csv"
    options = [str(tmp_path / "dataset" / "mini_gen"), "--out", str(out), "--test", "0"]
    assert CliRunner().invoke(app, options).exit_code == 0
    rows = read(out)
    assert Counter((row.split, row.label) for row in rows) == {
        ("train", 0): 12,
        ("train", 1): 12,
        ("val", 0): 8,
        ("val", 1): 8,
    }
    assert {row.generator for row in rows if row.label == 1} == set(GENERATORS)
    assert len(divided(rows, "split", 0).validation) == 16
