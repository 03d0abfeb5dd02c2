"""Files of the user's own: safetensors as they are, checkpoints converted, code never run."""

import argparse
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from forensics.errors import WeightsError
from img_ml.weights.__main__ import app
from img_ml.weights.adopt import adopt, apart, convert
from img_ml.weights.lock import read_lock
from img_ml.weights.table import find

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(3, dtype=torch.float16)}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    return tmp_path / "weights"


def same(path: Path) -> bool:
    found = load_file(path)
    return set(found) == set(TENSORS) and all(
        found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in TENSORS.items()
    )


@pytest.mark.parametrize(
    "content",
    [
        TENSORS,
        {"model": TENSORS, "epoch": 3, "args": argparse.Namespace(lr=0.1)},
        {"state_dict": {f"module.{name}": tensor for name, tensor in TENSORS.items()}},
        {"model": {"state_dict": {**TENSORS, "version": 2}}},
    ],
    ids=["plain", "with options", "parallel", "nested"],
)
def test_a_checkpoint_becomes_safetensors_name_by_name(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "authors.pth")
    convert(tmp_path / "authors.pth", tmp_path / "model.safetensors")
    assert same(tmp_path / "model.safetensors")


def test_tensors_that_share_memory_are_all_kept(tmp_path: Path) -> None:
    tensor = torch.arange(4.0)
    torch.save({"a": tensor, "b": tensor, "c": tensor[1:].view(3, 1).T}, tmp_path / "tied.pt")
    convert(tmp_path / "tied.pt", tmp_path / "model.safetensors")
    assert set(load_file(tmp_path / "model.safetensors")) == {"a", "b", "c"}


def test_only_tensors_that_share_memory_are_copied() -> None:
    whole, shared = torch.arange(4.0), torch.arange(6.0)
    given = {"whole": whole, "first": shared, "again": shared, "part": shared[2:], "turned": torch.ones(2, 3).T}
    found = apart(given)
    assert all(torch.equal(found[name], tensor) and found[name].is_contiguous() for name, tensor in given.items())
    assert found["whole"].data_ptr() == whole.data_ptr(), "ten gigabytes are not held twice"
    assert len({tensor.untyped_storage().data_ptr() for tensor in found.values()}) == len(given)


class Evil:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def test_a_checkpoint_that_could_run_code_is_refused_unread(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    for write in (lambda path: torch.save(Evil(trace), path), lambda path: path.write_bytes(pickle.dumps(Evil(trace)))):
        write(tmp_path / "evil.pth")
        with pytest.raises(WeightsError, match="could run code"):
            convert(tmp_path / "evil.pth", tmp_path / "model.safetensors")
    assert not trace.exists()
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("content", "told"), [([1, 2], "a list, not a state dict"), ({"epoch": 3}, "holds no tensors")], ids=str
)
def test_what_holds_no_tensors_is_told(tmp_path: Path, content: object, told: str) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=told):
        convert(tmp_path / "odd.pth", tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "not a checkpoint but an HDF5 file"),
        (b"%PDF-1.7 ...", "not a checkpoint but a PDF document"),
        (b"\n <!DOCTYPE html><html>Sign in", "a web page, not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b"", "is empty"),
        (b"some text", "neither a PyTorch checkpoint nor a safetensors file"),
        (b"PK\x03\x04" + bytes(50), "it is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=told) as caught:
        convert(tmp_path / "weights.pth", tmp_path / "model.safetensors")
    assert "weights_only" not in str(caught.value)
    assert "torch.load" not in str(caught.value)


def test_a_local_file_is_adopted_listed_and_verified(tmp_path: Path, weights: Path) -> None:
    source = tmp_path / "fatformer_4class_ckpt.pth"
    torch.save({"model": TENSORS}, source)
    adopted = CliRunner().invoke(app, ["pull", "fatformer", "--from", str(source)])
    assert adopted.exit_code == 0, adopted.output
    assert same(weights / "fatformer" / "model.safetensors")
    locked = read_lock(weights)["fatformer"]
    assert (locked.source, locked.revision) == ("fatformer_4class_ckpt.pth", "")
    assert source.exists()
    assert CliRunner().invoke(app, ["verify"]).exit_code == 0


def test_a_folder_is_adopted_where_the_weights_are_several_files(tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "downloaded"
    folder.mkdir()
    save_file(TENSORS, folder / "model.safetensors")
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_text("{}")
    assert CliRunner().invoke(app, ["pull", "dinov2-base", "--from", str(folder)]).exit_code == 0
    assert same(weights / "dinov2-base" / "model.safetensors")
    single = CliRunner().invoke(app, ["pull", "dinov2-base", "--from", str(folder / "model.safetensors")])
    assert single.exit_code == 2
    assert "name the folder that holds them" in single.output


def test_a_refused_file_leaves_the_adopted_one_as_it_is(tmp_path: Path, weights: Path) -> None:
    save_file(TENSORS, tmp_path / "good.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 200)
    assert CliRunner().invoke(app, ["pull", "mantranet", "--from", str(tmp_path / "good.safetensors")]).exit_code == 0
    refused = CliRunner().invoke(app, ["pull", "mantranet", "--from", str(tmp_path / "bad.safetensors")])
    assert refused.exit_code == 2
    assert "is not a complete safetensors file" in refused.output
    assert CliRunner().invoke(app, ["verify", "mantranet"]).exit_code == 0
    assert {path.name for path in weights.iterdir()} == {".lock", "mantranet", "weights.lock.json"}


def test_a_file_that_is_not_there_is_told(tmp_path: Path, weights: Path) -> None:
    missing = CliRunner().invoke(app, ["pull", "mantranet", "--from", str(tmp_path / "nothing.pth")])
    assert missing.exit_code == 2
    assert "There is no file" in missing.output


def test_json_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "downloaded"
    folder.mkdir()
    (folder / "config.json").write_text("<html>")
    with pytest.raises(WeightsError, match="is not JSON"):
        adopt(find("dinov2-base"), folder, tmp_path)


def test_half_precision_stays_as_it_was(tmp_path: Path) -> None:
    torch.save({"a": torch.from_numpy(np.arange(3, dtype=np.float16))}, tmp_path / "half.pt")
    convert(tmp_path / "half.pt", tmp_path / "model.safetensors")
    assert load_file(tmp_path / "model.safetensors")["a"].dtype == torch.float16


class CfgNode(dict):  # type: ignore[type-arg]
    """As yacs has it: a dict with attributes of its own."""

    def __init__(self, values: object = ()) -> None:
        super().__init__(values)  # type: ignore[call-overload]
        self.__dict__["__immutable__"] = True


def test_settings_and_figures_of_a_training_script_do_not_keep_the_tensors_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = types.ModuleType("yacs.config")
    settings.CfgNode = CfgNode  # type: ignore[attr-defined]
    monkeypatch.setattr(CfgNode, "__module__", "yacs.config")
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
        patched.setitem(sys.modules, "yacs.config", settings)
        content = {
            "model": {"weight": torch.ones(2)},
            "max_accuracy": np.float64(0.9),
            "config": CfgNode({"DATA": CfgNode({"IMG_SIZE": 224})}),
        }
        torch.save(content, tmp_path / "checkpoint.pth")
    convert(tmp_path / "checkpoint.pth", tmp_path / "model.safetensors")
    assert list(load_file(tmp_path / "model.safetensors")) == ["weight"]
