"""A running worker takes another artifact, refuses a tampered one, and goes back, without losing a job."""

import shutil
import signal
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from fusion.artifacts.__main__ import app
from fusion.artifacts.artifact import load_artifact
from tests.worker import web as pages
from tests.worker.processes import WorkerProcess, push, results_of
from tests.worker.redis_server import wait_until


@pytest.fixture
def models(artifact: Path, logistic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(artifact, tmp_path / "light")
    shutil.copytree(logistic, tmp_path / "logistic")
    monkeypatch.setenv("IMG_ML_MODEL_DIR", str(tmp_path))
    return tmp_path


def choose(*arguments: object) -> None:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def test_every_verdict_names_the_artifact_that_made_it(
    client: "redis.Redis", redis_server: object, web: pages.Web, models: Path
) -> None:
    own, other = (load_artifact(models / name).fingerprint for name in ("light", "logistic"))
    settings = {
        "REDIS_URL": redis_server.url,  # type: ignore[attr-defined]
        "FETCH_ALLOW": web.place,
        "IMG_ML_MODEL_DIR": str(models),
        "WORKER_ARTIFACT_CHECK_S": "0.2",
    }
    count = 0
    with WorkerProcess(settings, module="worker") as worker:
        worker.until_ready()

        def judged_by() -> str:
            nonlocal count
            count += 1
            push(client, f"job{count}", f"{web.url}/good.jpg")
            document = results_of(client, count)[f"job{count}"]
            assert document["status"] == "done", document
            return str(document["model"]["fingerprint"])

        def told(times: int, text: str) -> None:
            wait_until(lambda: worker.said().count(text) >= times)

        assert judged_by() == own
        # By the pointer alone, which the worker looks at by itself.
        choose("use", models / "logistic")
        told(1, "artifact reloaded")
        assert judged_by() == other
        # One command back.
        choose("back")
        told(2, "artifact reloaded")
        assert judged_by() == own
        # A tampered artifact that somebody points at by hand: refused, told, and the old one answers on.
        shutil.copytree(models / "logistic", models / "tampered")
        (models / "tampered" / "fusion.logistic.json").write_bytes(b"not what the manifest lists")
        (models / "light" / "current.json").write_text('{"artifact": "../tampered", "earlier": ["."]}')
        told(1, "new artifact refused")
        assert judged_by() == own
        # SIGHUP, to all its processes as a terminal sends it, looks again at once; the decoders live on.
        worker.signal_group(signal.SIGHUP)
        told(2, "new artifact refused")
        assert judged_by() == own
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0


def test_sighup_alone_does_it_where_nobody_looks_by_the_clock(
    client: "redis.Redis", redis_server: object, web: pages.Web, models: Path
) -> None:
    settings = {
        "REDIS_URL": redis_server.url,  # type: ignore[attr-defined]
        "FETCH_ALLOW": web.place,
        "IMG_ML_MODEL_DIR": str(models),
        "WORKER_ARTIFACT_CHECK_S": "0",
    }
    with WorkerProcess(settings, module="worker") as worker:
        worker.until_ready()
        worker.signal(signal.SIGHUP)
        wait_until(lambda: "artifact unchanged" in worker.said())
        choose("use", models / "logistic")
        worker.signal(signal.SIGHUP)
        wait_until(lambda: "artifact reloaded" in worker.said())
        push(client, "after", f"{web.url}/good.jpg")
        (document,) = results_of(client, 1).values()
        assert document["model"]["fingerprint"] == load_artifact(models / "logistic").fingerprint
