"""`python -m scripts.demo`: a private Redis, the real worker, a few real photographs, and their verdicts."""

import functools
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
import typer
from PIL import Image
from rich.console import Console

from img_ml.command import run_command
from worker.settings import WorkerSettings
from worker.streams.embedded import redis_at

ANSWER_TIMEOUT_S = 120
MISSING = "missing.jpg"
app = typer.Typer(add_completion=False)
talk = Console(stderr=True, highlight=False)


@app.command()
def demo() -> None:
    """Judge three photographs and one that does not exist; one JSON line each on stdout.

    Nothing outside a temporary folder is touched. Exit codes: 0 every answer is as it should be, 1 one is not.
    """
    talk.print("[bold]img_ml demo[/bold]: a private Redis, one worker, four jobs")
    with tempfile.TemporaryDirectory(prefix="img_ml-demo-", ignore_cleanup_errors=True) as folder:
        pictures, state = Path(folder) / "pictures", Path(folder) / "redis"
        pictures.mkdir()
        jobs = _write_pictures(pictures)
        log = Path(folder) / "worker.log"
        with _served(pictures) as place, redis_at(None, state) as url, _worker(url, place, log):
            good = [_told(answer, jobs) for answer in _answers(url, place, jobs)]
        told = log.read_text(encoding="utf-8", errors="replace")
    if len(good) == len(jobs) and all(good):
        talk.print("[green]All answers are there.[/green] What they mean: README.md, docs/wire_format.md")
        return
    talk.print(f"What the worker said:\n{told}", markup=False)
    talk.print(f"[red]Only {sum(good)} of {len(jobs)} answers are as they should be.[/red]")
    raise typer.Exit(1)


def _write_pictures(folder: Path) -> dict[str, str]:
    """The demo's files, and for each job what it is: photographs out of installed packages, one of them altered."""
    import sklearn.datasets

    photographs = Path(sklearn.datasets.__file__).parent / "images"
    for name in ("temple.jpg", "flower.jpg"):
        source = photographs / name.replace("temple", "china")
        (folder / name).write_bytes(source.read_bytes())
    (folder / "altered.jpg").write_bytes(_altered(folder / "flower.jpg"))
    return {
        "temple.jpg": "a photograph of a temple",
        "flower.jpg": "a photograph of a flower",
        "altered.jpg": "the flower again: one part enlarged and pasted back",
        MISSING: "an image that is not there",
    }


def _altered(photograph: Path) -> bytes:
    """The photograph with a quarter of it blown up and pasted back, as an editor would do."""
    image = Image.open(photograph).convert("RGB")
    width, height = image.size
    part = image.crop((0, 0, width // 4, height // 4)).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    image.paste(part, (width // 2, height // 2))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that does not talk."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class gave it
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The folder behind HTTP on this machine alone; the host:port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _worker(redis_url: str, allowed: str, log: Path) -> Iterator[None]:
    """`python -m worker` on that Redis, told to stop at the end. Addresses of this machine must be allowed by name."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WORKER_", "FETCH_"))}
    environment |= {"REDIS_URL": redis_url, "FETCH_ALLOW": allowed}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker"], env=environment, stdin=subprocess.DEVNULL, stderr=file
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(redis_url: str, place: str, jobs: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Push a job for each file and give the results as they come; fewer where time runs out."""
    streams = WorkerSettings.model_fields
    jobs_stream, results_stream = streams["worker_stream"].default[0], streams["worker_results"].default[0]
    client: Any = redis.Redis.from_url(redis_url, decode_responses=True, socket_timeout=ANSWER_TIMEOUT_S + 10)
    try:
        for name in jobs:
            job = {"jobId": str(uuid.uuid4()), "clientId": "demo", "image_url": f"http://{place}/{name}"}
            client.xadd(jobs_stream, {"data": json.dumps(job)})
        seen = "0-0"
        for _ in jobs:
            found = client.xread({results_stream: seen}, count=1, block=ANSWER_TIMEOUT_S * 1000)
            if not found:
                return
            seen, fields = found[0][1][0]
            yield json.loads(fields["data"])
    finally:
        client.close()


def _told(answer: dict[str, Any], jobs: dict[str, str]) -> bool:
    """Print one answer, and say whether it is as it should be."""
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    name = answer["image_url"].rpartition("/")[2]
    talk.print(f"\n[bold]{name}[/bold], {jobs[name]}")
    if name == MISSING:
        talk.print(f"  {answer['status']}: {(answer['error'] or {}).get('code')}")
        return bool(answer["status"] == "error" and answer["error"]["code"] == "fetch_failed")
    talk.print(f"  {answer['label']}, probability of AI from the pixels alone {answer['fusion_prob']}")
    for reason in answer["reasoning"][:2]:
        talk.print(f"  • {reason}", markup=False, soft_wrap=True)
    return bool(answer["status"] == "done" and answer["fusion_prob"] is not None and answer["reasoning"])


if __name__ == "__main__":
    run_command(app)
