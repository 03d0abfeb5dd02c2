"""Pulling, against a hub in a thread: what is fetched, resumed, pinned, converted, refused."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from img_ml.weights.table import find
from tests.img_ml.weights.hub_server import COMMIT, Hub

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
DINO = find("dinov2-base")
CLIP = find("clip-vit-bigg-14")
TENSORS = {"weight": torch.arange(100_000, dtype=torch.float32)}
# `python -m img_ml.weights` without the published SHA-256: a hub in a thread has other files.
COMMAND = "tests.img_ml.weights.run_weights"
FILES = {"config.json": b"{}", "preprocessor_config.json": b"{}", "model.safetensors": save(TENSORS)}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub({DINO.repository: dict(FILES), CLIP.repository: {"open_clip_config.json": b"{}"}}).running() as running:
        yield running


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "weights"


@pytest.fixture
def start(hub: Hub, weights: Path, tmp_path: Path) -> Start:
    def command(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        own = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "IMG_ML_WEIGHTS_DIR": str(weights),
            "NO_PROXY": "127.0.0.1",
            **environment,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return subprocess.Popen(
            [sys.executable, "-m", COMMAND, *arguments],
            env={**kept, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return command


@pytest.fixture
def run(start: Start) -> Run:
    def command(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        with start(*arguments, **environment) as process:
            out, told = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, told)

    return command


def lock(weights: Path) -> dict[str, object]:
    return json.loads((weights / "weights.lock.json").read_text())["weights"]


def test_weights_are_pulled_at_the_pinned_commit_and_verified(hub: Hub, run: Run, weights: Path) -> None:
    pulled = run("pull", "dinov2-base", HF_TOKEN="hf_secret")
    assert pulled.returncode == 0, pulled.stderr
    assert f"dinov2-base: 400 kB from {DINO.repository}, licence Apache-2.0" in pulled.stderr
    assert {path.name: path.read_bytes() for path in (weights / "dinov2-base").iterdir()} == FILES
    assert lock(weights)["dinov2-base"]["revision"] == DINO.revision
    assert all(DINO.revision in path for _, path, _ in hub.requests)
    assert hub.tokens == {"Bearer hf_secret"}
    assert "hf_secret" not in pulled.stderr
    assert run("verify").returncode == 0
    requests = len(hub.requests)
    again = run("pull", "dinov2-base")
    assert again.returncode == 0
    assert "dinov2-base is here already" in again.stderr
    assert len(hub.requests) == requests


def test_a_connection_that_breaks_is_taken_up_again(hub: Hub, run: Run, weights: Path) -> None:
    hub.breaking["model.safetensors"] = 150_000
    assert run("pull", "dinov2-base").returncode == 0
    assert len(hub.ranges("model.safetensors")) == 2
    assert (weights / "dinov2-base" / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_killed_download_goes_on_where_it_stopped(hub: Hub, start: Start, run: Run, weights: Path) -> None:
    # The hub's client writes in blocks of 10 MiB.
    large = save({"weight": torch.arange(6_000_000, dtype=torch.float32)})
    hub.files[DINO.repository]["model.safetensors"] = large
    hub.stalling["model.safetensors"] = 22_000_000
    process = start("pull", "dinov2-base")
    while partial_size(weights) < 20_000_000:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate()
    pulled = run("pull", "dinov2-base")
    assert pulled.returncode == 0, pulled.stderr
    assert hub.ranges("model.safetensors") == [None, f"bytes={20 * 2**20}-"]
    assert (weights / "dinov2-base" / "model.safetensors").read_bytes() == large
    assert not (weights / ".partial").exists()


def partial_size(weights: Path) -> int:
    return max((path.stat().st_size for path in (weights / ".partial").rglob("*model.safetensors")), default=0)


def test_what_was_begun_of_other_weights_outlives_a_pull(run: Run, weights: Path) -> None:
    begun = weights / ".partial" / "clip-vit-bigg-14" / "begun.safetensors"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"x" * 1000)
    assert run("pull", "dinov2-base").returncode == 0
    assert begun.is_file()
    assert [path.name for path in (weights / ".partial").iterdir()] == ["clip-vit-bigg-14"]


def test_a_download_that_arrives_damaged_is_refused_and_begun_anew(hub: Hub, run: Run, weights: Path) -> None:
    data = FILES["model.safetensors"]
    partial = f"{DINO.revision[:12]}-{hashlib.sha256(data).hexdigest()[:12]}-model.safetensors"
    (weights / ".partial" / "dinov2-base").mkdir(parents=True)
    (weights / ".partial" / "dinov2-base" / partial).write_bytes(b"x" * 150_000)
    damaged = run("pull", "dinov2-base")
    assert damaged.returncode == 2
    assert "model.safetensors does not match what the hub announced" in damaged.stderr
    assert not (weights / "dinov2-base").exists()
    assert run("pull", "dinov2-base").returncode == 0
    assert hub.ranges("model.safetensors") == ["bytes=150000-", None]


def test_a_branch_is_pinned_by_the_lock_file_and_a_checkpoint_is_converted(
    hub: Hub, run: Run, weights: Path, tmp_path: Path
) -> None:
    torch.save(TENSORS, tmp_path / "model.bin")
    hub.files[CLIP.repository]["open_clip_pytorch_model.bin"] = (tmp_path / "model.bin").read_bytes()
    assert run("pull", "clip-vit-bigg-14").returncode == 0
    stored = weights / "clip-vit-bigg-14" / "open_clip_model.safetensors"
    assert torch.equal(load_file(stored)["weight"], TENSORS["weight"])
    assert lock(weights)["clip-vit-bigg-14"]["revision"] == COMMIT
    stored.write_bytes(b"damaged")
    hub.requests.clear()
    assert run("verify", "clip-vit-bigg-14").returncode == 1
    assert run("pull", "clip-vit-bigg-14").returncode == 0
    assert all(f"/resolve/{COMMIT}/" in path for _, path, _ in hub.requests)
    assert run("verify", "clip-vit-bigg-14").returncode == 0


def cache(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """The hub's own cache, in its layout, as another program left it."""
    repository = tmp_path / "hf" / "hub" / "models--facebook--dinov2-base"
    snapshot = repository / "snapshots" / DINO.revision
    for folder in (snapshot, repository / "blobs"):
        folder.mkdir(parents=True)
    for name, data in files.items():
        (repository / "blobs" / name).write_bytes(data)
        (snapshot / name).symlink_to(repository / "blobs" / name)
    return repository / "blobs"


@pytest.mark.parametrize("unreachable", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}], ids=str)
def test_what_the_cache_holds_needs_no_network(
    hub: Hub, run: Run, weights: Path, tmp_path: Path, unreachable: dict[str, str]
) -> None:
    blobs = cache(tmp_path, FILES)
    pulled = run("pull", "dinov2-base", **unreachable)
    assert pulled.returncode == 0, pulled.stderr
    assert "dinov2-base: about 346 MB" in pulled.stderr
    assert not hub.requests
    assert lock(weights)["dinov2-base"]["revision"] == DINO.revision
    stored = weights / "dinov2-base" / "model.safetensors"
    assert not stored.is_symlink()
    assert stored.samefile(blobs / "model.safetensors"), "it takes its space on the disk once"


def test_what_the_cache_holds_is_not_downloaded(hub: Hub, run: Run, tmp_path: Path) -> None:
    cache(tmp_path, FILES)
    assert run("pull", "dinov2-base").returncode == 0
    assert {method for method, _, _ in hub.requests} == {"HEAD"}


def test_offline_without_a_cache_is_told(run: Run, weights: Path) -> None:
    pulled = run("pull", "dinov2-base", HF_HUB_OFFLINE="1")
    assert pulled.returncode == 2
    assert "config.json of dinov2-base is not in the Hugging Face cache" in pulled.stderr
    assert not (weights / "dinov2-base").exists()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (None, "there is no such repository, or HF_TOKEN gives no access to it"),
        ({**FILES, "model.safetensors": b"<html>"}, "is not a complete safetensors file"),
        ({"config.json": b"{}", "model.safetensors": save(TENSORS)}, "has no file preprocessor_config.json"),
    ],
)
def test_what_the_hub_gives_wrongly_is_told_and_nothing_is_left(
    hub: Hub, run: Run, weights: Path, files: dict[str, bytes] | None, told: str
) -> None:
    if files is None:
        del hub.files[DINO.repository]
    else:
        hub.files[DINO.repository] = files
    pulled = run("pull", "dinov2-base")
    assert pulled.returncode == 2
    assert told in pulled.stderr
    assert "Traceback" not in pulled.stderr
    assert {path.name for path in weights.iterdir()} <= {".lock", ".partial"}


def test_a_file_that_is_not_the_published_one_is_refused(hub: Hub, run: Run) -> None:
    hub.files[find("dinov2-large").repository] = dict(FILES)
    pulled = run("pull", "dinov2-large")
    assert pulled.returncode == 2
    assert "config.json of dinov2-large is not the published one: its SHA-256 differs" in pulled.stderr


def test_a_hub_that_is_down_is_told(hub: Hub, run: Run) -> None:
    pulled = run("pull", "dinov2-base", HF_ENDPOINT="http://127.0.0.1:9")
    assert pulled.returncode == 2
    assert pulled.stderr.splitlines()[-1].startswith("Error: config.json of dinov2-base")
    assert "Traceback" not in pulled.stderr


def test_weights_that_nobody_publishes_are_told_how_to_train(run: Run) -> None:
    pulled = run("pull", "ghostnet")
    assert pulled.returncode == 2
    assert "Train it: python -m img_ml.train ghostnet --dataset dataset.csv" in pulled.stderr


@pytest.mark.parametrize("answer", [{"commit": "../../../out"}, {"commit": "/tmp/out"}, {"etag": "../../../../out"}])
def test_what_a_hub_answers_leads_nowhere_out_of_the_folder(run: Run, hub: Hub, weights: Path, answer) -> None:
    for name, value in answer.items():
        setattr(hub, name, value)
    before = set(weights.parent.rglob("*out*"))
    result = run("pull", DINO.name)
    assert result.returncode == 2
    assert "not a commit and a checksum" in result.stderr
    assert set(weights.parent.rglob("*out*")) == before
    assert not [path for path in weights.rglob("*") if path.is_file() and path.name != ".lock"]
