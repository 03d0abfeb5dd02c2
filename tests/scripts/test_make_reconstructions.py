"""Aligned fakes: they share everything with their originals but the traces of a decoder."""

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.JpegImagePlugin import get_sampling
from typer.testing import CliRunner, Result

from forensics.errors import UsageError
from img_ml.data.dataset import Row, read_rows
from img_ml.networks.autoencoders.upsampling import (
    AutoencoderDesign,
    UpsamplingAutoencoder,
    save_upsampling_autoencoder,
)
from scripts.dataset.reconstruct.draws import choose, one_of
from scripts.dataset.reconstruct.reconstructing import Autoencoder, UnfitError, make_fake, read_original
from scripts.make_reconstructions import app
from tests.img_ml.tiny import TINY_AUTOENCODER
from tests.scripts.pictures import save, scene

HEADER = "filepath,label,kind,split,source,source_image"
DARKER = Autoencoder("darker", "d", lambda images: images - 40, "cpu")


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Six real images of train, in JPEG and PNG, two of human art, and one each of val, test and AI."""
    folder = tmp_path / "data"
    rows = [(f"real{number}.jpg", 0, "real", "train", f"s{number % 2}") for number in range(5)]
    rows += [("real5.png", 0, "real", "train", "s0"), ("art0.jpg", 0, "human_art", "train", "s2")]
    rows += [("val.jpg", 0, "real", "val", "s3"), ("ai.jpg", 1, "ai", "train", "s4")]
    lines = [HEADER]
    for number, (name, label, kind, split, source) in enumerate(rows):
        options: dict[str, object] = {"quality": 92, "subsampling": 0} if name.endswith("jpg") else {}
        save(folder / name, number, 60 + number, 50, **options)
        lines.append(f"{name},{label},{kind},{split},{source},image{number}")
    lines.append("absent.jpg,0,real,test,s5,image99")
    (folder / "dataset.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "dataset.csv"


def autoencoder(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    save_upsampling_autoencoder(UpsamplingAutoencoder(AutoencoderDesign(width=8, latents=16)), folder, {})
    return folder


def reconstruct(dataset: Path, *arguments: object) -> Result:
    out = dataset.parent.parent / "out"
    return CliRunner().invoke(app, ["--dataset", str(dataset), "--out", str(out), *map(str, arguments)])


def records(dataset: Path) -> list[dict[str, str]]:
    with (dataset.parent.parent / "out" / "dataset.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_fakes_stand_beside_their_originals_in_source_split_and_source_image(dataset: Path, tmp_path: Path) -> None:
    result = reconstruct(dataset, "--autoencoder", autoencoder(tmp_path / "nearest-f4"))
    assert result.exit_code == 0, result.output
    found = records(dataset)
    originals = [row for row in read_rows(dataset) if (row.kind, row.split) == ("real", "train")]
    assert Counter((record["source"], record["source_image"]) for record in found) == Counter(
        (row.source, row.record["source_image"]) for row in originals
    )
    assert {(record["label"], record["kind"], record["split"]) for record in found} == {("1", "ai", "train")}
    assert {record["generator"] for record in found} == {"recon-nearest-f4"}
    assert {row.label for row in read_rows(tmp_path / "out" / "dataset.csv")} == {1}


def test_fakes_have_the_size_format_tables_and_subsampling_of_their_originals(dataset: Path, tmp_path: Path) -> None:
    reconstruct(dataset, "--autoencoder", autoencoder(tmp_path / "a"))
    by_image = {row.record["source_image"]: row.path for row in read_rows(dataset)}
    formats = set()
    for record in records(dataset):
        with (
            Image.open(by_image[record["source_image"]]) as original,
            Image.open(tmp_path / "out" / record["filepath"]) as fake,
        ):
            assert (fake.size, fake.mode, fake.format) == (original.size, original.mode, original.format)
            if original.format == "JPEG":
                assert fake.quantization == original.quantization
                assert get_sampling(fake) == get_sampling(original)
            formats.add(fake.format)
    assert formats == {"JPEG", "PNG"}


def test_val_and_human_art_take_part_when_asked_and_test_never(dataset: Path, tmp_path: Path) -> None:
    reconstruct(dataset, "--autoencoder", autoencoder(tmp_path / "a"), "--val", "--human-art")
    assert Counter(record["split"] for record in records(dataset)) == {"train": 7, "val": 1}
    with pytest.raises(UsageError, match="test split"):
        choose(read_rows(dataset), ("test",), art=False, count=None, seed=0)


def test_a_second_run_makes_what_is_missing_and_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    folder = autoencoder(tmp_path / "a")
    reconstruct(dataset, "--autoencoder", folder)
    images = sorted((tmp_path / "out" / "images").iterdir())
    table = (tmp_path / "out" / "dataset.csv").read_bytes()
    before, kept = images[0].read_bytes(), images[1].stat().st_mtime_ns
    images[0].unlink()
    result = reconstruct(dataset, "--autoencoder", folder)
    assert result.exit_code == 0, result.output
    assert images[0].read_bytes() == before
    assert images[1].stat().st_mtime_ns == kept
    assert (tmp_path / "out" / "dataset.csv").read_bytes() == table
    reconstruct(dataset, "--autoencoder", folder, "--seed", 1)
    assert not {record["filepath"] for record in records(dataset)} & {f"images/{path.name}" for path in images}


def test_several_autoencoders_share_the_images_or_each_makes_all(dataset: Path, tmp_path: Path) -> None:
    both = [part for seed in (0, 1) for part in ("--autoencoder", autoencoder(tmp_path / f"a{seed}", seed))]
    reconstruct(dataset, *both)
    assert len(records(dataset)) == 6
    reconstruct(dataset, *both, "--every")
    assert Counter(record["generator"] for record in records(dataset)) == {"recon-a0": 6, "recon-a1": 6}


def test_an_autoencoder_of_diffusers_is_taken(dataset: Path, tmp_path: Path) -> None:
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    AutoencoderKL(**TINY_AUTOENCODER).save_pretrained(tmp_path / "published")
    result = reconstruct(dataset, "--autoencoder", tmp_path / "published", "--count", 2)
    assert result.exit_code == 0, result.output
    assert {record["generator"] for record in records(dataset)} == {"recon-published"}
    assert len(records(dataset)) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Name an autoencoder"),
        (["--autoencoder", "."], "holds no"),
        (["--with", "sd-vae-ft-ema"], "is not installed"),
        (["--autoencoder", "a", "--autoencoder", "b/a"], "Two autoencoders are called a"),
        (["--autoencoder", "a", "--least-ratio", 0.9, "--most-ratio", 0.1], "swap them"),
    ],
)
def test_what_cannot_be_done_is_told(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[object], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    autoencoder(tmp_path / "a")
    autoencoder(tmp_path / "b" / "a")
    result = reconstruct(dataset, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_each_pixel_is_mixed_at_the_ratio(ratio: float) -> None:
    file = io.BytesIO()
    scene(1, 50, 43).point(lambda value: max(value, 60)).save(file, "PNG")
    original = read_original(file.getvalue())
    with Image.open(io.BytesIO(make_fake(original, DARKER, ratio).data)) as fake:
        assert np.array_equal(np.asarray(fake), original.pixels - np.uint8(40 * ratio))


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {"quality": 75, "subsampling": 2}), ("RGB", {"quality": 95, "progressive": True}), ("L", {"quality": 80})],
)
def test_a_fake_that_is_no_reconstruction_is_the_original_once_more(mode: str, options: dict[str, object]) -> None:
    file = io.BytesIO()
    scene(2, 64, 48).convert(mode).save(file, "JPEG", **options)
    fake = make_fake(read_original(file.getvalue()), DARKER, 0.0)
    with Image.open(io.BytesIO(file.getvalue())) as first, Image.open(io.BytesIO(fake.data)) as second:
        assert first.mode == second.mode
        assert first.quantization == second.quantization
        assert ("progressive" in first.info) == ("progressive" in second.info)
        # Of grey levels alone: chroma that was halved comes back a little changed from every writing.
        assert np.abs(np.asarray(first.convert("L"), dtype=int) - np.asarray(second.convert("L"), dtype=int)).mean() < 1


@pytest.mark.parametrize(
    ("mode", "kind", "reason"),
    [("RGB", "WEBP", "neither JPEG nor PNG"), ("RGBA", "PNG", "neither RGB"), ("CMYK", "JPEG", "neither RGB")],
)
def test_images_that_cannot_be_written_alike_are_left_out(mode: str, kind: str, reason: str) -> None:
    file = io.BytesIO()
    scene(3).convert(mode).save(file, kind)
    with pytest.raises(UnfitError, match=reason):
        read_original(file.getvalue())
    with pytest.raises(UnfitError):
        read_original(file.getvalue()[:80])


def test_images_are_drawn_over_the_sources_and_each_file_once(tmp_path: Path) -> None:
    rows = []
    for number in range(110):
        path = tmp_path / f"{number}"
        path.write_bytes(str(number).encode())
        rows.append(Row(path, 0, "train", "large" if number < 100 else f"small{number % 2}", "real"))
    drawn = choose([*rows, *rows], ("train",), art=False, count=20, seed=0)
    count = Counter(chosen.row.source for chosen in drawn)
    assert len({chosen.sha256 for chosen in drawn}) == sum(count.values()) == 20
    # In proportion large would have 18 of them; by the roots of the sizes it has about 14, as small sources run out.
    assert 8 <= count["large"] <= 16
    assert choose(rows, ("train",), art=False, count=20, seed=0) == drawn
    assert choose(rows, ("train",), art=False, count=20, seed=1) != drawn


def test_one_more_autoencoder_takes_images_over_and_moves_no_others() -> None:
    images = [f"image{number}" for number in range(300)]
    before = [one_of(image, ["a", "b"], 0) for image in images]
    after = [one_of(image, ["a", "b", "c"], 0) for image in images]
    assert all(new in (old, 2) for old, new in zip(before, after, strict=True))
    assert all(70 <= count <= 130 for count in Counter(after).values())
