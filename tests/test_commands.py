"""Every documented command ends in a sentence: exit code 2 for a wrong setting, 70 for a fault of ours."""

import os
import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from forensics.errors import DeviceError
from img_ml.engine.device import choose_device
from scripts.command import places

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OURS = ("img_ml", "fusion", "worker", "scripts", "benchmarks")


def documented() -> list[str]:
    """The arguments of `python` for every documented command that has a command line of its own."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    modules = set(re.findall(r"python -m ([a-z_]+(?:\.[a-z_]+)*)", text))
    found = {f"-m {module}" for module in modules if module.split(".")[0] in OURS}
    found |= {
        "-m worker status",
        "-m worker dlq list",
        "local_test.py x.png",
        "img_ml_verify.py x.png",
        "spai.py infer",
    }
    return sorted(found)


def ran(arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(
        [sys.executable, *arguments.split()], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("arguments", documented())
def test_a_wrong_setting_ends_every_command_in_one_sentence_and_code_2(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments == "-m benchmarks.mutants":
        pytest.importorskip("cosmic_ray")
    monkeypatch.setenv("IMG_ML_DEVICE", "foo")
    name, *rest = arguments.removeprefix("-m ").split()
    monkeypatch.setattr(sys, "argv", [name, *rest])
    start = runpy.run_module if arguments.startswith("-m ") else runpy.run_path
    with pytest.raises(SystemExit) as ended:
        start(name, run_name="__main__")
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.err == "Error: The setting IMG_ML_DEVICE is wrong: it must be auto, cpu, cuda, cuda:N or mps.\n"
    assert told.out == ""


@pytest.mark.parametrize("module", ["fusion.artifacts list", "scripts.make_dataset_csv", "img_ml.weights pull"])
def test_help_has_a_short_option_everywhere(module: str) -> None:
    done = ran(f"-m {module} -h")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


def test_help_is_shown_whatever_the_settings_are() -> None:
    assert ran("-m img_ml.weights --help", IMG_ML_DEVICE="foo").returncode == 0


def test_a_misspelt_setting_of_the_gateway_is_warned_of_and_a_wrong_one_is_an_error() -> None:
    pytest.importorskip("fastapi")
    serve = [sys.executable, "-c", "from scripts.command import main; main()", "serve"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WEB_PROT": "1", "WEB_PORT": "x"}
    done = subprocess.run(serve, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    warning, error = done.stderr.splitlines()
    assert warning == "Warning: WEB_PROT is not a setting: did you mean WEB_PORT?"
    assert error.startswith("Error: The setting WEB_PORT is wrong:")
    assert done.returncode == 2


def test_a_misspelt_setting_is_warned_of_with_the_nearest_name() -> None:
    done = ran("-m img_ml.weights list", IMG_ML_DEVCE="cpu")
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: IMG_ML_DEVCE is not a setting: did you mean IMG_ML_DEVICE?\n")


@pytest.mark.parametrize("wanted", ["mps", "cuda", "cuda:3"])
def test_a_device_that_is_not_there_is_an_error_of_the_settings(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=f"^IMG_ML_DEVICE is {wanted}, but torch finds no"):
        choose_device(wanted)


CRASHING = "import typer; from img_ml.command import run_command\ndef main() -> None: 1 / 0\nrun_command(main)"
CLOSED = "from img_ml.command import run_command\ndef main() -> None: input()\nrun_command(main)"


@pytest.mark.parametrize(("more", "trace"), [([], False), (["--debug"], True)])
def test_an_unexpected_error_ends_in_a_sentence_and_code_70(more: list[str], trace: bool) -> None:
    done = subprocess.run([sys.executable, "-c", CRASHING, *more], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 70
    assert ("Traceback" in done.stderr) == trace
    assert trace or done.stderr.startswith("Internal error: ZeroDivisionError (division by zero).")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["local_test.py --json x.png", "-m img_ml.weights list", "-m img_ml --help"])
def test_a_full_disk_under_stdout_is_told_and_is_no_fault_of_ours(arguments: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, *arguments.split()], cwd=ROOT, stdout=full, stderr=subprocess.PIPE)
    assert done.stderr.decode().splitlines()[-1] == "Error: The output cannot be written: the disk is full."
    assert done.returncode == 3


def test_closed_input_is_a_usage_error_and_not_a_flagged_image() -> None:
    done = subprocess.run([sys.executable, "-c", CLOSED], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 2


def test_a_pipe_in_an_old_code_page_takes_every_name(tmp_path: Path) -> None:
    path = tmp_path / "日本.png"
    path.write_bytes(b"no image")
    told = ran(f"local_test.py {path}", PYTHONIOENCODING="cp1252")
    assert told.returncode == 2
    assert "not an image" in told.stderr
    assert '"status": "error"' in ran(f"local_test.py --json {path}", PYTHONIOENCODING="cp1252").stdout


def test_the_quick_judge_of_the_stream_benchmarks_has_the_face_of_a_judge() -> None:
    from benchmarks.support.streams.few_detectors import FewDetectors

    judge = FewDetectors()
    assert (judge.configuration, judge.fingerprint, judge.kind) == ("few", "0" * 64, "trained")


def test_settings_of_every_class_are_known_to_every_command() -> None:
    done = ran("-m img_ml.weights list", IMG_ML_LANG="de", FUSION_THRESHOLD="0.5", WORKER_BATCH_SIZE="4")
    assert (done.returncode, "Warning" in done.stderr) == (0, False)


def test_an_env_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"IMG_ML_DEVICE=\xff\xfe")
    done = subprocess.run(
        [sys.executable, "-m", "img_ml.weights", "list"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "Error: .env is not UTF-8 text: save it as UTF-8.\n")


def test_a_language_that_is_not_known_is_told() -> None:
    done = ran("local_test.py x.png", IMG_ML_LANG="xx")
    assert (done.returncode, "IMG_ML_LANG is wrong: it must be en or de" in done.stderr) == (2, True)


def test_no_command_shows_the_variables_of_its_frames() -> None:
    """typer's own trace does, and secrets are among them."""
    shown = []
    for _, _, place in places():
        module, _, attribute = place.partition(":")
        app = getattr(import_module(module), attribute)
        if isinstance(app, typer.Typer) and app.pretty_exceptions_enable:
            shown.append(place)
    assert not shown
