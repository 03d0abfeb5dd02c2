"""The extraction command: killed half-way it goes on where it was; bad input ends in a sentence."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from forensics import files
from scripts.extract_features import app
from tests.fusion.conftest import write_dataset
from tests.worker.redis_server import wait_until

ROOT = Path(__file__).parents[2]
# The encoder of the light profile takes a second an image.
TINY = ("--profile", "tiny")
# So many that a run can be killed in the middle.
VIEWS = 6


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def command_of(dataset: Path, cache: Path) -> list[str]:
    given = (str(dataset), "--cache", str(cache), "--views", str(VIEWS), *TINY)
    return [sys.executable, "-m", "scripts.extract_features", *given]


def views_in(cache: Path) -> int:
    """The views that every detector has written; the network comes last."""
    return sum(pq.read_metadata(file).num_rows for file in cache.glob("crop_network-*/*.parquet"))


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    dataset, cache = write_dataset(tmp_path), tmp_path / "features"
    command = command_of(dataset, cache)
    process = subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: views_in(cache) > 0 or process.poll() is not None, timeout=120)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    kept = views_in(cache)
    total = 120 * VIEWS + 24
    assert 0 < kept < total
    code, _, told = run(dataset, "--cache", cache, "--views", VIEWS, *TINY)
    assert code == 0, told
    assert f"{total} views of 144 images: {kept} are in the cache, {total - kept} to measure" in told
    assert views_in(cache) == total


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted as Linux tells them")
def test_no_process_outlives_a_command_that_was_killed(tmp_path: Path) -> None:
    dataset, cache = write_dataset(tmp_path), tmp_path / "features"
    command = command_of(dataset, cache)
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE)
    try:
        # Two of its own, and the one that forks them.
        assert wait_until(lambda: len(processes_of(process.pid)) > 2, timeout=60)
        process.kill()
        process.communicate()
        assert wait_until(lambda: not processes_of(process.pid), timeout=20)
    finally:
        for left in processes_of(process.pid):
            os.kill(left, signal.SIGKILL)


def processes_of(session: int) -> list[int]:
    """The living processes of a session, as Linux tells."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def test_a_full_disk_ends_in_a_sentence_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, cache = write_dataset(tmp_path), tmp_path / "features"
    written = []

    def full(handle: int) -> None:
        written.append(handle)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    code, _, told = run(dataset, "--cache", cache, "--views", "1", *TINY)
    assert (code, "The disk is full" in told) == (2, True), told
    monkeypatch.undo()
    found = list(cache.rglob("*"))
    assert len([path for path in found if path.suffix == ".parquet"]) == 3
    assert not [path for path in found if path.is_file() and path.suffix != ".parquet"]
    assert run(dataset, "--cache", cache, "--views", "1", *TINY)[0] == 0


def test_the_summary_names_every_detector(dataset: Path, cache: Path) -> None:
    code, shown, _ = run(dataset, "--cache", cache, "--views", "1", *TINY)
    assert code == 0
    for name in ("noise", "spectrum", "statistics", "ela"):
        assert name in shown


def test_bad_input_ends_in_a_sentence(dataset: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("path,class\na,b\n")
    for arguments, told in (
        ([tmp_path / "none.csv"], "There is no"),
        ([wrong], "lacks the column"),
        ([dataset, "--profile", "huge"], "no profile 'huge'"),
        ([dataset, "--cache", "/proc/none"], "/proc/none"),
    ):
        code, _, said = run(*arguments)
        assert (code, told in said) == (2, True), said
