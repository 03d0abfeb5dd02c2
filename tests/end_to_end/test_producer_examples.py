"""The producers in examples/, unchanged, with a real worker behind the stream."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.worker.processes import JOBS, ROOT, WorkerProcess, environment
from tests.worker.redis_server import free_port, wait_until

EXAMPLES = ROOT / "examples"
Ended = subprocess.CompletedProcess[str]


def node_command(folder) -> list[str]:
    """How to run the Node example; skips where there is no node, or no package `redis` for it to find."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH")
    # Modules are looked for beside the file that imports them: IMG_ML_TEST_NODE_MODULES names another place.
    example = EXAMPLES / "producer.mjs"
    if modules := os.environ.get("IMG_ML_TEST_NODE_MODULES"):
        (folder / "node_modules").symlink_to(modules, target_is_directory=True)
        example = shutil.copy(example, folder)
    asked = subprocess.run(
        [node, "--input-type=module", "-e", "await import('redis')"],
        cwd=folder if modules else EXAMPLES, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    if asked.returncode != 0:
        pytest.skip(
            "node finds no package redis: npm install redis, or name a node_modules folder by IMG_ML_TEST_NODE_MODULES"
        )
    return [node, str(example)]


@pytest.fixture(params=["python", "node"])
def produce(request: pytest.FixtureRequest, redis_server, tmp_path) -> Callable[..., Ended]:
    """Runs the example of each language."""
    python = [sys.executable, str(EXAMPLES / "producer.py")]
    command = python if request.param == "python" else node_command(tmp_path)

    def run(*arguments: str, **settings: str) -> Ended:
        return subprocess.run(
            [*command, *arguments], env=environment(**{"REDIS_URL": redis_server.url, **settings}),
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return run


def test_an_example_prints_the_verdict_of_its_own_job_and_the_callback_comes(
    client, redis_server, web, receiver, produce
):
    settings = {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place, "CALLBACK_ALLOW": receiver.place}
    with WorkerProcess(settings):
        done = produce(f"{web.url}/good.jpg", receiver.url)
        again = produce(f"{web.url}/good.jpg")
        gone = produce(f"{web.url}/gone.jpg")
        wait_until(lambda: receiver.taken)
    assert (done.returncode, again.returncode, gone.returncode) == (0, 0, 1), (done, again, gone)
    verdict, second, error = (json.loads(ended.stdout) for ended in (done, again, gone))
    assert (verdict["status"], verdict["client_id"], verdict["image_url"]) == ("done", "c1", f"{web.url}/good.jpg")
    assert verdict["job_id"] != second["job_id"]
    assert error["error"]["code"] == "fetch_failed"
    assert receiver.taken == [verdict["job_id"]]


def test_an_example_gives_up_waiting_with_a_sentence(client, produce):
    ended = produce("http://example.com/a.jpg", TIMEOUT_S="0.5")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "No answer within 0.5 s: does a worker run?\n"
    assert client.xlen(JOBS) == 1


def test_an_example_without_redis_or_url_ends_in_a_sentence(client, produce):
    ended = produce("http://example.com/a.jpg", REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    assert ended.returncode == 2
    assert re.fullmatch(r"Redis cannot be used: .*\n", ended.stderr)
    ended = produce()
    assert (ended.returncode, ended.stderr.partition(" ")[0]) == (2, "usage:")


def test_the_node_example_writes_the_job_as_the_backend_does(client, redis_server, tmp_path):
    ended = subprocess.run(
        [*node_command(tmp_path), "http://example.com/a.jpg", "http://example.com/hook"],
        env=environment(REDIS_URL=redis_server.url, TIMEOUT_S="0.1"), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 3
    ((_, fields),) = client.xrange(JOBS)
    assert fields.keys() == {"data"}
    job = json.loads(fields["data"])
    assert list(job) == [
        "type", "jobId", "clientId", "image_url", "image_hash", "callback_url", "STREAM_KEY", "retry",
    ]  # fmt: skip
    assert (job["image_url"], job["callback_url"]) == ("http://example.com/a.jpg", "http://example.com/hook")
    assert job["STREAM_KEY"] == JOBS


@pytest.mark.parametrize(("language", "name"), [("python", "producer.py"), ("js", "producer.mjs")])
def test_the_readme_shows_lines_of_the_examples(language, name):
    shown = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    lines = {line.strip() for line in (EXAMPLES / name).read_text(encoding="utf-8").splitlines()}
    assert any({line.strip() for line in snippet.splitlines()} <= lines for snippet in shown)
