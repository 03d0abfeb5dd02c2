"""A worker whose profile has no weights, or no trained fusion: every job is answered from what there is."""

import re
import shutil
import signal
from pathlib import Path

import pytest
import redis
import skimage
from typer.testing import CliRunner

from forensics.registry import get
from fusion.artifacts.__main__ import app
from fusion.artifacts.artifact import load_artifact
from img_ml.profiles import load_profile
from tests.worker import web as pages
from tests.worker.processes import WorkerProcess, push, results_of
from tests.worker.redis_server import wait_until

COFFEE = Path(skimage.__file__).parent / "data" / "coffee.png"


@pytest.fixture
def settings(redis_server: object, web: pages.Web, tmp_path: Path) -> dict[str, str]:
    return {
        "REDIS_URL": redis_server.url,  # type: ignore[attr-defined]
        "FETCH_ALLOW": web.place,
        "IMG_ML_WEIGHTS_DIR": str(tmp_path / "no-weights"),
        "IMG_ML_DEVICE": "cpu",
    }


@pytest.mark.parametrize("profile", ["standard", "full"])
def test_without_any_weights_every_job_is_answered_and_each_missing_detector_named(
    client: "redis.Redis", web: pages.Web, settings: dict[str, str], profile: str
) -> None:
    missing = set(load_profile(profile, Path()).detectors) - set(load_profile("light", Path()).detectors)
    assert missing
    assert all(get(name).load is not None for name in missing)
    for number in range(3):
        web.pages[f"/{number}.jpg"] = COFFEE.read_bytes()
        push(client, f"job{number}", f"{web.url}/{number}.jpg")
    push(client, "gone", f"{web.url}/gone.jpg")
    with WorkerProcess(settings | {"IMG_ML_PROFILE": profile}, module="worker") as worker:
        found = results_of(client, 4)
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0
        assert "no fusion trained for this profile" in worker.said()
    assert found.pop("gone")["error"]["code"] == "fetch_failed"
    for document in found.values():
        assert document["status"] == "done"
        assert document["fusion_prob"] is not None
        assert (document["model"]["profile"], document["model"]["fusion"]) == (profile, "prior")
        assert missing <= set(document["skipped"])
        for name in missing:
            told = document["skipped"][name]
            assert re.search(r"python -m img_ml\.(weights pull|train) \S+", told), f"{name}: {told}"


def test_a_running_worker_goes_from_the_prior_to_the_first_artifact_and_refuses_a_tampered_one(
    client: "redis.Redis",
    web: pages.Web,
    settings: dict[str, str],
    artifact: Path,
    logistic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = tmp_path / "models"
    shutil.copytree(artifact, models / "light")
    shutil.copytree(logistic, models / "logistic")
    shutil.copytree(logistic, models / "tampered")
    (models / "tampered" / "fusion.logistic.json").write_bytes(b"not what the manifest lists")
    monkeypatch.setenv("IMG_ML_MODEL_DIR", str(models))
    more = {"IMG_ML_PROFILE": "full", "IMG_ML_MODEL_DIR": str(models), "WORKER_ARTIFACT_CHECK_S": "0"}
    web.pages["/1.jpg"] = COFFEE.read_bytes()
    count = 0
    with WorkerProcess(settings | more, module="tests.end_to_end.run_prior_worker") as worker:
        worker.until_ready()

        def document() -> dict:
            nonlocal count
            count += 1
            push(client, f"job{count}", f"{web.url}/1.jpg")
            return results_of(client, count)[f"job{count}"]

        def after_sighup(text: str) -> None:
            times = worker.said().count(text)
            worker.signal(signal.SIGHUP)
            wait_until(lambda: worker.said().count(text) > times)

        first = document()
        assert first["model"]["fusion"] == "prior"
        assert {"test_strong", "test_weak"} <= {reason["aspect"] for reason in first["reasons"]}
        assert "python -m img_ml.weights pull test_absent" in first["skipped"]["test_absent"]
        # A folder that claims to be an artifact and is none: the prior goes on.
        (models / "tampered").rename(models / "full")
        after_sighup("new artifact refused")
        assert document()["model"] == first["model"]
        # The first sound one, by the command.
        shutil.rmtree(models / "full")
        used = CliRunner().invoke(app, ["use", str(models / "logistic"), "--profile", "full"])
        assert used.exit_code == 0, used.output
        after_sighup("artifact reloaded")
        fingerprint = load_artifact(models / "logistic").fingerprint
        told = document()["model"]
        assert (told["profile"], told["fingerprint"], told["fusion"]) == ("full", fingerprint, "trained")
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0
