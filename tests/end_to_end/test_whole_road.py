"""`python -m worker` as users start it: the packaged profile, real photographs, verdicts as the schema says."""

import json
import signal
from pathlib import Path

import jsonschema
import pytest
import skimage

from tests.worker import web as pages
from tests.worker.processes import JOBS, RESULTS, ROOT, WorkerProcess, push, results_of
from tests.worker.redis_server import RedisServer, wait_until

PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg")


@pytest.fixture
def web(web: pages.Web) -> pages.Web:
    folder = Path(skimage.__file__).parent / "data"
    web.pages |= {f"/{name}": (folder / name).read_bytes() for name in PHOTOS}
    return web


@pytest.fixture(scope="module")
def schema() -> dict[str, object]:
    return json.loads((ROOT / "docs" / "schema" / "verdict.schema.json").read_text())


def test_photographs_get_verdicts_that_follow_the_schema(any_server: RedisServer, web, schema):
    with any_server.client() as client:
        for name in (*PHOTOS, "missing.png"):
            push(client, name, f"{web.url}/{name}")
        settings = {"REDIS_URL": any_server.url, "FETCH_ALLOW": web.place}
        with WorkerProcess(settings, module="worker") as worker:
            wait_until(lambda: client.xlen(RESULTS) >= 4 or worker.process.poll() is not None, timeout=90)
            assert worker.process.poll() is None, worker.said()
            found = results_of(client, 4)
            worker.signal(signal.SIGTERM)
            assert worker.ended() == 0
            assert worker.said().count("Traceback") == 0
    for result in found.values():
        jsonschema.validate(result, schema)
    for name in PHOTOS:
        result = found[name]
        assert (result["status"], result["client_id"], result["image_url"]) == ("done", "test", f"{web.url}/{name}")
        assert result["label"] in ("AI", "NON-AI", "UNCERTAIN")
        assert 0 <= result["fusion_prob"] <= 1
        assert result["reasoning"]
        assert {"fetch", "examine", "conclude", "total"} <= result["timings_ms"].keys()
    assert found["missing.png"]["error"]["code"] == "fetch_failed"


def test_a_model_folder_without_models_ends_in_a_sentence_and_exit_code_2(client, redis_server, tmp_path):
    settings = {"REDIS_URL": redis_server.url, "IMG_ML_MODEL_DIR": str(tmp_path)}
    push(client, "waits", "http://example.com/x.jpg")
    with WorkerProcess(settings, module="worker") as worker:
        assert worker.ended(60) == 2
        assert "The worker cannot start: " in worker.said().splitlines()[-1]
        assert "Traceback" not in worker.said()
    assert client.xlen(JOBS) == 1


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_trust_anchors_that_cannot_be_used_end_in_a_sentence_and_exit_code_2(redis_server, tmp_path, content):
    path = tmp_path / "anchors.pem"
    if content is not None:
        path.write_text(content)
    settings = {"REDIS_URL": redis_server.url, "C2PA_TRUST_ANCHORS": str(path)}
    with WorkerProcess(settings, module="worker") as worker:
        assert worker.ended(60) == 2
        assert "C2PA_TRUST_ANCHORS" in worker.said().splitlines()[-1]
        assert "Traceback" not in worker.said()
