"""The loop: early stopping, clipping, accumulation, mixed precision, resuming, tracking."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from forensics.errors import TrainingError
from img_ml.data.dataset import DatasetError, read_rows
from img_ml.train.loop import Loop
from img_ml.train.spai import checkpoints
from img_ml.train.spai.config import Config, TrainConfig
from img_ml.train.spai.crops import CropBatch, Epochs
from img_ml.train.spai.finetune import Detecting, beginning, finetune
from img_ml.train.spai.pretraining import MaskedFrequencyModel, frequency_distance, pretrain
from img_ml.train.spai.rows import divided, divided_for_spectra, read
from img_ml.train.spai.training import schedule_of
from tests.img_ml.train.spai.conftest import configured, picture

QUIET = Console(quiet=True)


def run(
    dataset: Path, pretrained: Path, config: Config, folder: Path, *, keep_all: bool = False
) -> checkpoints.EpochProgress:
    return finetune(read_rows(dataset), config, pretrained, folder, "cpu", QUIET, keep_all=keep_all)


def detecting(config: Config, pretrained: Path) -> tuple[Loop[Sequence[CropBatch]], Detecting]:
    """A training of an epoch of a hundred steps that has not begun."""
    task = Detecting(beginning(config, pretrained), [], config, 100, "cpu")
    plan = schedule_of(config.TRAIN, 100, config.SEED)
    return Loop(task, plan, "cpu", QUIET, low=config.AMP_OPT_LEVEL != "O0"), task


def one_step(config: Config, pretrained: Path, batches: int) -> Detecting:
    """What is trained, after one step over a fixed sixteen of crops in so many batches."""
    loop, task = detecting(config, pretrained)
    crops = torch.from_numpy(np.random.default_rng(0).random((16, 1, 3, 32, 32))).float()
    labels = torch.tensor([0.0, 1.0] * 8)
    loop._step(0, [CropBatch(a, b) for a, b in zip(crops.chunk(batches), labels.chunk(batches), strict=True)])
    return task


def gradients(task: Detecting) -> Tensor:
    return torch.cat([one.grad.flatten() for one in task.network.parameters() if one.grad is not None])


def test_gradients_are_clipped_and_their_norm_before_is_told(settings: Path, pretrained: Path) -> None:
    clipped = configured(settings, ("TRAIN.CLIP_GRAD", "0.001"))
    task = one_step(clipped, pretrained, 1)
    assert task.norm > 0.01
    assert float(gradients(task).norm()) == pytest.approx(0.001, rel=1e-3)
    free = one_step(configured(settings, ("TRAIN.CLIP_GRAD", "None")), pretrained, 1)
    assert float(gradients(free).norm()) == pytest.approx(free.norm, rel=1e-4)
    assert free.norm == pytest.approx(task.norm)


def test_accumulated_batches_are_one_large_one(settings: Path, pretrained: Path) -> None:
    config = configured(settings, ("MODEL.SID_DROPOUT", "0"), ("TRAIN.CLIP_GRAD", "None"))
    whole, parts = one_step(config, pretrained, 1), one_step(config, pretrained, 4)
    torch.testing.assert_close(gradients(parts), gradients(whole), rtol=1e-4, atol=1e-7)


def test_mixed_precision_needs_nothing_but_torch(settings: Path, pretrained: Path) -> None:
    exact = gradients(one_step(configured(settings), pretrained, 1))
    rough = gradients(one_step(configured(settings, ("AMP_OPT_LEVEL", "O1")), pretrained, 1))
    assert bool(torch.isfinite(rough).all())
    assert not torch.equal(exact, rough)


def test_training_stops_when_nothing_gets_better(
    settings: Path, pretrained: Path, dataset: Path, tmp_path: Path
) -> None:
    config = configured(
        settings,
        ("TRAIN.EPOCHS", "20"),
        ("TRAIN.BASE_LR", "1e-12"),
        ("TRAIN.MIN_LR", "0"),
        ("TRAIN.EARLY_STOPPING", "2"),
    )
    progress = run(dataset, pretrained, config, tmp_path)
    assert progress.epoch == progress.best_epoch + 2 < 20
    kept = {path.name for path in tmp_path.glob("*.pth")}
    assert kept == {f"ckpt_epoch_{progress.best_epoch}.pth", f"ckpt_epoch_{progress.epoch}.pth"}
    lines = [json.loads(line) for line in (tmp_path / "tracking.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, progress.epoch + 1))
    assert {"train/loss", "train/gradient_norm", "val/auc", "val/ap", "val/loss"} <= lines[0].keys()


def test_a_resumed_training_is_the_same_training(
    settings: Path, pretrained: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(settings, ("TRAIN.EPOCHS", "3"), ("TRAIN.EARLY_STOPPING", "None"))
    whole = run(dataset, pretrained, config, tmp_path / "whole", keep_all=True)
    validation, calls = Detecting.validation, iter([False, True])

    def interrupted(self: Detecting) -> Mapping[str, float]:
        if next(calls):
            raise KeyboardInterrupt
        return validation(self)

    with monkeypatch.context() as patched:
        patched.setattr(Detecting, "validation", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, pretrained, config, tmp_path / "parts", keep_all=True)
    assert [path.name for path in (tmp_path / "parts").glob("*.pth")] == ["ckpt_epoch_1.pth"]
    parts = run(dataset, pretrained, config, tmp_path / "parts", keep_all=True)
    assert (parts.best, parts.best_epoch) == (whole.best, whole.best_epoch)
    first, second = (checkpoints.network_tensors(tmp_path / name / "ckpt_epoch_3.pth") for name in ("whole", "parts"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    # A finished one is not trained again, one with other settings is not gone on with.
    assert run(dataset, pretrained, config, tmp_path / "parts").epoch == 3
    with pytest.raises(TrainingError, match="--tag"):
        run(dataset, pretrained, configured(settings, ("SEED", "5")), tmp_path / "parts")


def test_the_backbone_stays_as_it_was_pretrained(
    settings: Path, pretrained: Path, dataset: Path, tmp_path: Path
) -> None:
    run(dataset, pretrained, configured(settings, ("TRAIN.EPOCHS", "1")), tmp_path)
    content = torch.load(tmp_path / "ckpt_epoch_1.pth", weights_only=True)
    assert content["config"]["DATA"]["IMG_SIZE"] == 32
    before = torch.load(pretrained, weights_only=True)["model"]
    backbone = [name for name in before if name.startswith("encoder.") and "encoder.norm" not in name]
    after = content["model"]
    assert all(torch.equal(before[name], after[f"mfvit.vit.{name.removeprefix('encoder.')}"]) for name in backbone)
    assert len(backbone) == sum(name.startswith("mfvit.vit.") for name in after)


def test_workers_and_views_give_crops_that_follow_from_the_seed(settings: Path, dataset: Path) -> None:
    rows = [row for row in read_rows(dataset) if row.split == "train"]
    data = configured(settings, ("DATA.AUGMENTED_VIEWS", "2")).DATA

    def drawn(workers: int, epoch: int) -> list[CropBatch]:
        return list(Epochs(rows, data.model_copy(update={"NUM_WORKERS": workers}), 3).batches(epoch))

    alone, helped, later = drawn(0, 1), drawn(1, 1), drawn(0, 2)
    assert alone[0].crops.shape == (8, 2, 3, 32, 32)
    assert 0 <= float(alone[0].crops.min()) < float(alone[0].crops.max()) <= 1
    assert all(
        torch.equal(a.crops, b.crops) and torch.equal(a.labels, b.labels) for a, b in zip(alone, helped, strict=True)
    )
    assert not torch.equal(alone[0].crops, later[0].crops)


def test_an_image_that_cannot_be_read_is_named(settings: Path, pretrained: Path, tmp_path: Path) -> None:
    lines = ["image,class,split"]
    for number in range(8):
        name = f"{number}.png"
        (tmp_path / name).write_bytes(b"no image")
        lines.append(f"{name},{number % 2},{'train' if number < 4 else 'val'}")
    (tmp_path / "theirs.csv").write_text("\n".join(lines))
    rows = read(tmp_path / "theirs.csv")
    assert [(row.label, row.split) for row in rows[:2]] == [(0, "train"), (1, "train")]
    with pytest.raises(DatasetError, match=r"\.png cannot be read"):
        finetune(rows, configured(settings), pretrained, tmp_path / "out", "cpu", QUIET, keep_all=False)


def test_what_is_watched_holds_both_classes_and_nothing_of_test(dataset: Path) -> None:
    rows = read_rows(dataset)
    for kind in ("split", "sources"):
        division = divided(rows, kind, 0)
        assert {row.split for row in (*division.training, *division.validation)} <= {"train", "val"}
        assert not {row.source for row in division.training} & {row.source for row in division.validation}
    with pytest.raises(DatasetError, match="val needs images of both labels"):
        divided([row for row in rows if row.split != "val"], "split", 0)


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = schedule_of(TrainConfig(EPOCHS=4, WARMUP_EPOCHS=1, BASE_LR=1.0, WARMUP_LR=0, MIN_LR=0.1), 10, 0)
    rates = [schedule.learning_rate_at(step) for step in range(40)]
    assert rates[9] == rates[10] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert schedule.learning_rate_at(40) == pytest.approx(0.1)


def naive_loss(model: MaskedFrequencyModel, image: np.ndarray, radius: int, *, low: bool) -> float:
    """The loss of one image by loops over its frequencies."""
    side = image.shape[-1]
    frequency = np.minimum(np.arange(side), side - np.arange(side))
    inside = frequency[:, None] ** 2 + frequency[None, :] ** 2 < radius**2
    seen = inside if low else ~inside
    shown = np.clip(np.fft.ifft2(np.fft.fft2(image) * seen).real, 0, 1)
    mean, deviation = (np.array(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    given = torch.from_numpy((shown - mean) / deviation).float()[None]
    drawn = model.decoder(model.encoder(given))[0].detach().double().numpy()
    difference = np.abs(np.fft.fft2(drawn) - np.fft.fft2((image - mean) / deviation)) / side
    return float(np.mean([difference[channel][~seen] for channel in range(3)]))


@pytest.mark.parametrize("low", [True, False])
def test_pretraining_is_judged_at_the_frequencies_that_were_hidden(settings: Path, low: bool) -> None:
    config = configured(settings)
    torch.manual_seed(0)
    model = MaskedFrequencyModel(config.sizes.vit, 5, config.MODEL.FREQ_LOSS).eval()
    image = np.random.default_rng(0).random((3, 32, 32))
    with torch.no_grad():
        found = float(model(torch.from_numpy(image).float()[None], torch.tensor([low])))
    assert found == pytest.approx(naive_loss(model, image, 5, low=low), rel=1e-4)


def test_hard_frequencies_weigh_more_in_the_focal_loss(settings: Path) -> None:
    first, second = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    plain = frequency_distance(first, second, configured(settings).MODEL.FREQ_LOSS)
    focal = frequency_distance(
        first, second, configured(settings, ("MODEL.FREQ_LOSS.WITH_MATRIX", "true")).MODEL.FREQ_LOSS
    )
    share = focal / plain
    assert float(share.max()) == pytest.approx(1)
    for image in (0, 1):
        for channel in range(3):
            assert int(share[image, channel].argmin()) == int(plain[image, channel].argmin())


def test_tensorboard_gets_the_figures(settings: Path, pretrained: Path, dataset: Path, tmp_path: Path) -> None:
    run(dataset, pretrained, configured(settings, ("TRACKING", "tensorboard"), ("TRAIN.EPOCHS", "1")), tmp_path)
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_a_loss_that_is_not_finite_ends_the_training(
    settings: Path, pretrained: Path, dataset: Path, tmp_path: Path
) -> None:
    config = configured(settings, ("TRAIN.BASE_LR", "1e30"), ("TRAIN.CLIP_GRAD", "None"), ("TRAIN.EPOCHS", "5"))
    with pytest.raises((TrainingError, ValueError)):
        run(dataset, pretrained, config, tmp_path)


def test_small_images_are_mirrored_on(settings: Path, tmp_path: Path) -> None:
    from img_ml.train.spai.crops import crop

    Image.new("RGB", (9, 50), (10, 200, 30)).save(tmp_path / "small.png")
    assert crop((tmp_path / "small.png").read_bytes(), 1, 0, 32).shape == (32, 32, 3)


def test_views_are_the_patches_of_one_image_so_that_query_and_keys_learn(settings: Path, pretrained: Path) -> None:
    config = configured(settings, ("MODEL.SID_DROPOUT", "0"))
    loop, task = detecting(config, pretrained)
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    crops = torch.from_numpy(np.random.default_rng(0).random((6, 4, 3, 32, 32))).float()
    batch = CropBatch(crops, torch.tensor([0.0, 1.0] * 3))
    (loss,) = task.parts(batch)
    with torch.no_grad():
        vectors = task._spai.mfvit(crops.flatten(0, 1)).unflatten(0, (6, 4))
        wanted = functional.binary_cross_entropy_with_logits(task._spai(vectors)[0], batch.labels)
    assert float(loss.detach()) == pytest.approx(float(wanted), abs=1e-6)
    loop._step(0, [batch])
    after = task.network.state_dict()
    keys, _ = (after["to_kv.weight"] - before["to_kv.weight"]).abs().chunk(2)
    assert float(keys.max()) > 1e-5
    assert float((after["patch_aggregator"] - before["patch_aggregator"]).abs().max()) > 1e-5


def test_pretraining_learns_from_real_images_alone(settings: Path, dataset: Path, tmp_path: Path) -> None:
    rows = read_rows(dataset)
    data = configured(settings).DATA
    division = divided_for_spectra(rows, data, 0)
    assert {row.label for row in (*division.training, *division.validation)} == {0}
    assert {row.split for row in division.validation} == {"val"}
    alone = [row for row in rows if row.label == 0 and row.split == "train"]
    apart = divided_for_spectra(alone, data, 0)
    assert apart.training
    assert not {row.source for row in apart.training} & {row.source for row in apart.validation}
    both = divided_for_spectra(rows, configured(settings, ("DATA.PRETRAIN_ON", "all")).DATA, 0)
    assert {row.label for row in both.training} == {0, 1}
    with pytest.raises(DatasetError, match="no real images outside test"):
        divided_for_spectra([row for row in rows if row.label == 1], data, 0)


def test_pretraining_takes_a_list_of_real_images(settings: Path, dataset: Path, tmp_path: Path) -> None:
    real = [row for row in read_rows(dataset) if row.label == 0]
    assert pretrain(real, configured(settings), tmp_path, "cpu", QUIET, keep_all=False).best_epoch == 1


def test_a_network_learns_grain(settings: Path, pretrained: Path) -> None:
    config = configured(settings, ("MODEL.SID_DROPOUT", "0"), ("TRAIN.WEIGHT_DECAY", "0"))
    loop, _ = detecting(config, pretrained)
    pixels = [np.asarray(picture(seed, smooth=seed % 2 == 1))[:32, :32] for seed in range(32)]
    crops = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float()[:, None] / 255
    batch = CropBatch(crops, torch.tensor([0.0, 1.0] * 16))
    losses = [float(loop._step(0, [batch])) for _ in range(30)]
    assert losses[0] > 0.6
    assert losses[-1] < 0.3
