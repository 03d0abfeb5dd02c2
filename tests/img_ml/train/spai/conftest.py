"""A dataset of two classes that differ in their grain, and settings so small that an epoch takes a second."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from img_ml.train.spai.config import Config, load

SOURCES, IMAGES, SIDE = 7, 2, 40
SETTINGS = {
    "MODEL": {
        "FEATURE_EXTRACTION_BATCH": 16,
        "SID_DROPOUT": 0.1,
        "VIT": {"PATCH_SIZE": 8, "EMBED_DIM": 64, "DEPTH": 2, "MLP_RATIO": 1, "PROJECTION_DIM": 16},
        "FRE": {"MASKING_RADIUS": 5},
        "PATCH_VIT": {"NUM_HEADS": 2, "ATTN_EMBED_DIM": 16},
    },
    "DATA": {"IMG_SIZE": 32, "BATCH_SIZE": 8, "AUGMENTED_VIEWS": 1, "MASK_RADIUS1": 5},
    "TRAIN": {"EPOCHS": 2, "WARMUP_EPOCHS": 0, "BASE_LR": "1e-3"},
    "PRETRAIN": {"EPOCHS": 1, "WARMUP_EPOCHS": 0, "BASE_LR": "1e-3"},
    "TRACKING": "jsonl",
}


def picture(seed: int, *, smooth: bool) -> Image.Image:
    random = np.random.default_rng(seed)
    cloud = np.asarray(Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((SIDE, SIDE)))
    grain = random.normal(0, 1 if smooth else 25, (SIDE, SIDE, 1))
    return Image.fromarray(np.clip(cloud + grain, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources hold both classes; one of them is val, one test."""
    folder = tmp_path_factory.mktemp("spai_dataset")
    lines = ["filepath,label,split,source"]
    for source in range(SOURCES):
        split = {0: "val", 1: "test"}.get(source, "train")
        for label in (0, 1):
            for index in range(IMAGES):
                name = f"{source}-{label}-{index}.png"
                picture(100 * source + 10 * label + index, smooth=label == 1).save(folder / name)
                lines.append(f"{name},{label},{split},s{source}")
    path = folder / "dataset.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "tiny.yaml"
    path.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def pretrained(settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random backbone in the layout of the published one."""
    import torch

    from img_ml.train.spai.pretraining import MaskedFrequencyModel

    config = configured(settings)
    torch.manual_seed(0)
    network = MaskedFrequencyModel(config.sizes.vit, 5, config.MODEL.FREQ_LOSS)
    path = tmp_path_factory.mktemp("pretrained") / "mfm.pth"
    torch.save({"model": network.state_dict()}, path)
    return path


def configured(settings: Path, *options: tuple[str, str]) -> Config:
    chosen: Sequence[tuple[str, object]] = options
    return load(str(settings), chosen)
