"""Scoring a dataset: every image gets one row, equal to the judge's own verdict; a killed run goes on where it was."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from forensics.errors import ArtifactError
from img_ml.data.dataset import read_rows
from scripts import score_dataset
from scripts.scoring import cluster, scorer
from scripts.scoring.cluster import Crew, ShardResult
from scripts.scoring.errors import ScoringError
from scripts.scoring.rows import part_of
from tests.scripts.scoring.datasets import (
    BAD,
    assert_equal_to_judge,
    judge_itself,
    rows_in,
    write_csv,
    write_folder,
    write_hub_parquet,
)
from tests.scripts.test_extract_features import processes_of
from tests.worker.redis_server import wait_until
from tests.worker.web import photo, png_bomb, running_web

ROOT = Path(__file__).parents[2]
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(score_dataset.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder of the light profile takes a second an image."""
    monkeypatch.setenv("IMG_ML_PROFILE", "tiny")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command without Ray: one actor in this process."""

    @contextmanager
    def no_ray(*_: object) -> Iterator[Crew]:
        yield Crew(1, 1, 0)

    def answers(records: Sequence[dict[str, Any]], scoring: scorer.Scoring, _: Crew) -> Iterator[ShardResult]:
        actor = scorer.ShardScorer(scoring)
        try:
            for record in records:
                told = actor({name: [value] for name, value in record.items()})
                yield ShardResult(**{name: values[0] for name, values in told.items()})
        finally:
            actor.close()

    monkeypatch.setattr(score_dataset, "require_ray", lambda: None)
    monkeypatch.setattr(score_dataset, "ray_running", no_ray)
    monkeypatch.setattr(score_dataset, "answers", answers)
    monkeypatch.setattr(scorer, "_hold_threads", lambda threads: None)


# In a process of its own: Ray leaves behind what this one's warnings call errors.
CLUSTER = """
import ray, sys
ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ray_address() -> Iterator[str]:
    """The address of a cluster of two cores."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        cwd=ROOT,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def run_apart(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """The command in a process of its own, as it is used."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.score_dataset", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=150,
    )
    return done.returncode, done.stdout, done.stderr


@needs_ray
def test_a_folder_is_scored_on_ray_as_the_judge_itself_would_and_bad_images_are_rows(tmp_path: Path) -> None:
    images, out = write_folder(tmp_path / "in", 13), tmp_path / "out"
    (tmp_path / "in" / "bomb.png").write_bytes(png_bomb())
    images["bomb.png"] = png_bomb()
    options = ("--actors", "1", "--shard-size", "5", "--batch-size", "2")
    code, shown, told = run_apart(tmp_path / "in", "--out", out, *options)
    assert code == 0, told
    assert told.splitlines() == [
        "14 images in 3 parts; 0 of them are scored already.",
        "Actors: 1, each with 1 core.",
    ]
    rows, judge = rows_in(out), judge_itself()
    assert [row["row"] for row in rows] == list(range(14))
    assert [row["id"] for row in rows] == sorted(images)
    for row in rows:
        if images[row["id"]] == BAD or row["id"] == "bomb.png":
            assert (row["status"], row["label"], row["fusion_prob"], row["retryable"]) == ("error", None, None, False)
        else:
            assert_equal_to_judge(row, images[row["id"]], judge)
    assert {row["error_code"] for row in rows} == {None, "not_an_image", "too_many_pixels"}
    assert all(row["sha256"] for row in rows)
    counts = Counter(row["label"] for row in rows)
    assert (
        f"14 images: {counts['AI']} AI, {counts['NON-AI']} NON-AI, {counts['UNCERTAIN']} UNCERTAIN, 2 errors" in shown
    )
    assert sorted(path.name for path in out.glob("*.parquet")) == [f"part-0000{n}.parquet" for n in range(3)]


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, ray_address: str) -> None:
    images, out = write_folder(tmp_path / "in", 48), tmp_path / "out"
    options = [str(tmp_path / "in"), "--out", str(out), "--actors", "1", "--shard-size", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.score_dataset", *options],
        cwd=ROOT,
        env={**os.environ, "RAY_ADDRESS": ray_address},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(list(out.glob("*.parquet"))) > 1 or process.poll() is not None, timeout=120)
    finally:
        process.kill()
        process.communicate()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    assert 1 < len(finished) < 48
    (out / ".part-00047.parquet-half").write_bytes(b"written when it was killed")
    code, _, told = run_apart(*options, RAY_ADDRESS=ray_address)
    assert code == 0, told
    assert f"48 images in 48 parts; {len(finished)} of them are scored already" in told
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert [(row["row"], row["id"]) for row in rows_in(out)] == list(enumerate(images))
    assert not list(out.glob(".part*"))


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted as Linux tells them")
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 3), (signal.SIGTERM, 3), (signal.SIGKILL, -9)])
def test_a_run_on_a_ray_of_its_own_is_quiet_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals, expected: int
) -> None:
    write_folder(tmp_path / "in", 400)
    out = tmp_path / "out"
    options = [str(tmp_path / "in"), "--out", str(out), "--actors", "2", "--shard-size", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.score_dataset", *options],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(list(out.glob("*.parquet"))) > 1 or process.poll() is not None, timeout=120)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        assert process.returncode == expected, told
        lines = told.splitlines()
        assert lines[:2] == ["400 images in 400 parts; 0 of them are scored already.", "Actors: 2, each with 1 core."]
        assert len(lines) == (2 if expected < 0 else 3), told
        # Ray's own helpers look only now and then whether it is still there.
        wait_until(lambda: not processes_of(process.pid), timeout=90)
    finally:
        for left in processes_of(process.pid):
            os.kill(left, signal.SIGKILL)


@pytest.mark.usefixtures("in_process")
def test_parquet_of_both_shapes_is_scored(tmp_path: Path) -> None:
    images = [photo(number) for number in range(5)]
    write_hub_parquet(tmp_path, [*images, None])
    single = tmp_path / "apart" / "one.parquet"
    single.parent.mkdir()
    pq.write_table(pa.table({"picture": images}), single)
    judge = judge_itself()
    assert run(tmp_path / "0000.parquet", "--out", tmp_path / "a", "--shard-size", "2")[0] == 0
    assert run(single, "--out", tmp_path / "b", "--column", "picture")[0] == 0
    for out, name, wanted in (("a", "0000.parquet", images[:3]), ("b", "one.parquet", images)):
        rows = rows_in(tmp_path / out)
        assert [row["id"] for row in rows] == [f"{name}#{n}" for n in range(len(wanted))]
        for row, data in zip(rows, wanted, strict=True):
            assert_equal_to_judge(row, data, judge)


@pytest.mark.usefixtures("in_process")
def test_urls_are_fetched_under_the_workers_rules_and_paths_read_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here.jpg").write_bytes(photo(2))
    (tmp_path / "large.jpg").write_bytes(photo(3, (600, 600)))
    with running_web() as web:
        web.pages = {"/a.jpg": photo(1), "/text": BAD}
        urls = [f"{web.url}/a.jpg", f"{web.url}/text", f"{web.url}/none", "http://10.0.0.1/a.jpg"]
        values = [*urls, "here.jpg", "absent.jpg", "", "/dev/zero", "large.jpg", "n" * 300, f"{web.url}/a.jpg"]
        path = write_csv(tmp_path / "list.csv", "image_url", values)
        monkeypatch.setenv("FETCH_ALLOW", web.place)
        monkeypatch.setenv("FETCH_MAX_BYTES", "6000")
        code, shown, told = run(path, "--out", tmp_path / "out", "--batch-size", "3")
    assert code == 0, told
    rows = rows_in(tmp_path / "out")
    assert [row["id"] for row in rows] == values
    assert [row["error_code"] for row in rows] == [
        *(None, "not_an_image", "fetch_failed", "blocked_url", None, "fetch_failed", "bad_job", "fetch_failed"),
        *("too_large", "fetch_failed", None),
    ]
    judge = judge_itself()
    for number, data in ((0, photo(1)), (4, photo(2)), (10, photo(1))):
        assert_equal_to_judge(rows[number], data, judge)
    assert "8 errors; 11 scored now" in shown


@pytest.mark.usefixtures("in_process")
def test_parts_that_are_lost_or_damaged_are_made_again_and_those_of_other_weights_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "in", 8)
    call = (tmp_path / "in", "--out", tmp_path / "out", "--shard-size", "2")
    assert run(*call)[0] == 0
    parts = [tmp_path / "out" / f"part-{n:05d}.parquet" for n in range(4)]
    kept, expected = parts[3].stat().st_mtime_ns, rows_in(tmp_path / "out")
    parts[0].unlink()
    parts[1].write_bytes(parts[1].read_bytes()[:-20])
    parts[2].write_bytes(part_of(pq.read_table(parts[2]).to_pylist(), "of another run"))
    assert "8 images in 4 parts; 2 of them" in run(*call)[2]
    assert (parts[3].stat().st_mtime_ns, rows_in(tmp_path / "out")) == (kept, expected)
    assert "nothing was left to score" in run(*call)[1]
    mark = pq.read_metadata(parts[3]).metadata[b"img_ml"].decode().partition(" ")[0]
    parts[3].write_bytes(part_of(pq.read_table(parts[3]).to_pylist(), f"{mark} otherweights"))
    parts[0].unlink()
    code, _, told = run(*call)
    assert (code, "differ from those of the parts" in told, parts[0].exists()) == (2, True, False), told


@pytest.mark.usefixtures("in_process")
def test_a_folder_holds_the_scores_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, out = tmp_path / "in", tmp_path / "out"
    write_folder(images, 4)
    assert run(images, "--out", out, "--shard-size", "4")[0] == 0
    assert json.loads((out / "_manifest.json").read_text())["number_of_images"] == 4
    profile = tmp_path / "mine.toml"
    profile.write_text('detectors = ["noise"]\n')

    def refused(told: str, *options: object) -> None:
        code, _, said = run(images, "--out", out, *options)
        assert (code, told in said) == (2, True), said

    refused("its shard size is 4, that of this one 3", "--shard-size", "3")
    monkeypatch.setenv("FUSION_THRESHOLD", "0.4")
    refused("its threshold is None, that of this one 0.4", "--shard-size", "4")
    monkeypatch.delenv("FUSION_THRESHOLD")
    with FileLock(out / ".lock"):
        refused("Another run is writing", "--shard-size", "4")
    (images / "new.jpg").write_bytes(photo(9))
    refused("its number of images is 4", "--shard-size", "4")
    (out / "_manifest.json").write_text("{")
    refused("cannot be read", "--shard-size", "4")
    (out / "_manifest.json").unlink()
    refused("did not write", "--shard-size", "4")


@pytest.mark.usefixtures("in_process")
def test_a_run_in_which_no_image_could_be_judged_is_told_by_its_exit_code(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "list.csv", "filepath", ["absent.jpg", "too.jpg"])
    code, shown, _ = run(path, "--out", tmp_path / "out")
    assert (code, "2 images: 0 AI, 0 NON-AI, 0 UNCERTAIN, 2 errors" in shown) == (1, True)


@pytest.mark.usefixtures("in_process")
def test_a_judge_that_fails_ends_the_run_with_what_was_finished_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "in", 6)
    asked = []

    def fails(*_: object) -> object:
        asked.append(0)
        if len(asked) > 2:
            raise RuntimeError("out of memory")
        return conclude(*_)

    conclude = scorer._outcomes
    monkeypatch.setattr(scorer, "_outcomes", fails)
    code, _, told = run(tmp_path / "in", "--out", tmp_path / "out", "--shard-size", "2")
    assert (code, "Part 2 failed: RuntimeError: out of memory. What was" in told) == (3, True), told
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 2


@pytest.mark.usefixtures("in_process")
def test_a_judge_that_cannot_be_loaded_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "in", 4)

    def fails(*_: object) -> None:
        raise ArtifactError("This node has other files.")

    monkeypatch.setattr(scorer, "load_judge", fails)
    code, _, told = run(tmp_path / "in", "--out", tmp_path / "out")
    assert (code, "This node has other files" in told) == (2, True), told


def test_bad_calls_end_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_dataset, "require_ray", lambda: None)
    write_folder(tmp_path / "in", 4)
    (tmp_path / "file").write_text("")
    for arguments, told in (
        ((tmp_path / "none", "--out", tmp_path / "out"), "does not exist"),
        ((tmp_path / "in", "--out", tmp_path / "out", "--profile", "huge"), "no profile 'huge'"),
        ((tmp_path / "in", "--out", tmp_path / "file"), "file"),
    ):
        code, _, said = run(*arguments)
        assert (code, told in said, "Traceback" in said) == (2, True, False), said
    assert not (tmp_path / "out").exists()


def test_without_ray_the_command_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    code, _, told = run(tmp_path, "--out", tmp_path / "out")
    assert (code, "pip install -r requirements-ray.txt" in told) == (2, True)


@pytest.mark.parametrize(
    ("resources", "actors", "threads", "learned", "crew"),
    [
        ({"CPU": 8}, None, 3, True, Crew(2, 3, 0)),
        ({"CPU": 1}, None, 4, False, Crew(1, 4, 0)),
        ({"CPU": 8, "GPU": 2}, None, 1, True, Crew(2, 1, 1)),
        ({"CPU": 8, "GPU": 2}, 3, 1, True, Crew(3, 1, 0.5)),
        ({"CPU": 8, "GPU": 2}, 1, 1, True, Crew(1, 1, 1)),
        ({"CPU": 8, "GPU": 2}, None, 1, False, Crew(8, 1, 0)),
    ],
)
def test_actors_fit_into_what_there_is(
    resources: dict[str, float], actors: int | None, threads: int, learned: bool, crew: Crew
) -> None:
    assert cluster._crew(resources, actors, threads, learned) == crew


def test_a_cluster_that_is_not_there_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ScoringError, match=r"cannot be used at 127\.0\.0\.1:1: .*refused"):
        cluster._connect(None, None, 1)


@needs_ray
@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(3600)
def test_ten_thousand_crops_killed_in_the_middle_are_scored_as_the_judge_itself_would(
    tmp_path: Path, shared_data: Path
) -> None:
    paths = [row.path for row in read_rows(shared_data / "corpus" / "dataset.csv")]
    paths = (paths * (10_000 // len(paths) + 1))[:10_000]
    source, out = write_csv(tmp_path / "in.csv", "filepath", [str(path) for path in paths]), tmp_path / "out"
    options = [str(source), "--out", str(out), "--actors", "2", "--shard-size", "250", "--profile", "light"]
    command = [sys.executable, "-m", "scripts.score_dataset", *options]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(list(out.glob("*.parquet"))) > 10 or process.poll() is not None, timeout=1200)
    finally:
        process.kill()
        process.wait()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    assert 10 < len(finished) < 40
    subprocess.run(command, cwd=ROOT, check=True)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    rows, judge = rows_in(out), judge_itself()
    assert [(row["row"], row["id"]) for row in rows] == [(n, str(path)) for n, path in enumerate(paths)]
    assert {row["status"] for row in rows} == {"done"}
    for row in rows[::33]:
        assert_equal_to_judge(row, Path(row["id"]).read_bytes(), judge)
