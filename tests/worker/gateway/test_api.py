"""The HTTP API with a real Redis and a real worker: what is accepted gets its verdict, all else its problem."""

import io
import json
import threading
import uuid
import zipfile
from collections.abc import Iterator

import jsonschema
import pytest
import redis

from tests.worker import web as pages
from tests.worker.gateway.gateway_server import GatewayServer, running_gateway
from tests.worker.processes import JOBS, ROOT, WorkerProcess
from tests.worker.redis_server import RedisServer, wait_until


@pytest.fixture
def gateway(client: "redis.Redis", redis_server: RedisServer) -> Iterator[GatewayServer]:
    with running_gateway(redis_server.url, web_max_bytes=500_000, web_body_s=1.5, web_max_batch=30) as server:
        yield server


@pytest.fixture
def worker(gateway: GatewayServer, redis_server: RedisServer) -> Iterator[WorkerProcess]:
    with WorkerProcess({"REDIS_URL": redis_server.url}) as process:
        yield process.until_ready()


def test_a_file_in_a_form_and_its_bare_bytes_get_the_streams_document(
    gateway: GatewayServer, worker: WorkerProcess
) -> None:
    data = pages.photo(1)
    first = gateway.post_file("/v1/verdicts?wait=30", data, "hello.jpg")
    second = gateway.ask("POST", "/v1/verdicts?wait=30", data, {"Content-Type": "image/jpeg"})
    schema = json.loads((ROOT / "docs" / "schema" / "verdict.schema.json").read_text())
    for answer in (first, second):
        assert (answer.status, answer.json["status"]) == (200, "done")
        jsonschema.validate(answer.json["result"], schema)
    assert first.json["name"] == "hello.jpg"
    assert first.json["result"]["image_sha256"] == second.json["result"]["image_sha256"]


def test_without_waiting_it_is_accepted_and_can_be_asked_for(gateway: GatewayServer, worker: WorkerProcess) -> None:
    accepted = gateway.post_file("/v1/verdicts", pages.photo(2))
    assert accepted.status == 202
    place = accepted.headers["location"]
    wait_until(lambda: gateway.get(place).json["status"] == "done", timeout=30)


def test_a_url_is_judged_and_what_cannot_be_fetched_is_an_error_of_that_image(
    gateway: GatewayServer, worker: WorkerProcess
) -> None:
    answer = gateway.post_json("/v1/verdicts?wait=30", {"image_url": "http://127.0.0.1/x.jpg"})
    assert (answer.status, answer.json["status"]) == (200, "error")
    assert answer.json["result"]["error"]["code"] == "blocked_url"


def test_one_idempotency_key_stands_for_one_job(gateway: GatewayServer, client: "redis.Redis") -> None:
    ids = {gateway.post_file("/v1/verdicts", pages.photo(3), Idempotency_Key="once").json["job_id"] for _ in range(3)}
    assert (len(ids), client.xlen(JOBS)) == (1, 1)
    assert gateway.post_file("/v1/verdicts", pages.photo(3), Idempotency_Key="twice").json["job_id"] not in ids


def test_an_upload_that_is_sent_again_under_its_key_goes_when_its_verdict_is_there(
    gateway: GatewayServer, client: "redis.Redis", worker: WorkerProcess
) -> None:
    for _ in range(2):
        gateway.post_file("/v1/verdicts?wait=30", pages.photo(3), Idempotency_Key="once")
    (key,) = client.keys(f"{JOBS}:upload:*")
    assert client.ttl(key) <= 600


def test_a_batch_of_twenty_is_answered_and_tells_its_progress(gateway: GatewayServer, worker: WorkerProcess) -> None:
    files = [(f"{n}.jpg", pages.photo(n)) for n in range(20)]
    made = gateway.post_files("/v1/batches", files)
    assert made.status == 202
    place = made.headers["location"]
    wait_until(lambda: gateway.get(place).json["done"] == 20, timeout=60)
    told = gateway.get(place).json
    assert [job["name"] for job in told["jobs"]] == [name for name, _ in files]
    assert {job["status"] for job in told["jobs"]} == {"done"}


def test_events_tell_of_each_answer(gateway: GatewayServer, worker: WorkerProcess) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    connection.request("GET", "/v1/events")
    stream = connection.getresponse()
    assert stream.readline().startswith(b": listening")
    job_id = gateway.post_file("/v1/verdicts", pages.photo(4)).json["job_id"]
    lines = []
    while not lines or not lines[-1].startswith(b"data: "):
        lines.append(stream.readline())
    assert json.loads(lines[-1].removeprefix(b"data: "))["job_id"] == job_id
    connection.close()


def test_what_is_accepted_while_nobody_reads_results_is_answered_after_a_restart(
    client: "redis.Redis", redis_server: RedisServer
) -> None:
    with running_gateway(redis_server.url) as gateway:
        job_id = gateway.post_file("/v1/verdicts", pages.photo(5)).json["job_id"]
    with WorkerProcess({"REDIS_URL": redis_server.url}):
        wait_until(lambda: client.xlen(JOBS) == 0, timeout=60)
    with running_gateway(redis_server.url) as gateway:
        wait_until(lambda: gateway.get(f"/v1/verdicts/{job_id}").json["status"] == "done", timeout=30)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/octet-stream", 400),
        (b"x" * 700_000, "application/octet-stream", 413),
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b'{"image_url": "upload:' + b"0" * 64 + b'"}', "application/json", 422),
        (b'{"image_url": "file:///etc/passwd"}', "application/json", 422),
        (b'{"image_url": "http://\\ud800.example/"}', "application/json", 422),
        (b"x", "text/plain", 415),
        (b"x", "multipart/form-data", 400),
        (b"--b\r\nbroken", "multipart/form-data; boundary=b", 400),
    ],
)
def test_what_cannot_be_taken_is_a_problem_document(
    gateway: GatewayServer, client: "redis.Redis", body: bytes, kind: str, status: int
) -> None:
    answer = gateway.ask("POST", "/v1/verdicts", body, {"Content-Type": kind})
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["detail"].endswith(".")
    assert client.xlen(JOBS) == 0


def test_a_browser_gets_a_refusal_as_a_page_and_a_program_as_a_document(gateway: GatewayServer) -> None:
    place = f"/verdicts/{uuid.uuid4()}"
    page = gateway.get(place, Accept="text/html,application/xhtml+xml")
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no verdict with that id" in page.body.decode()
    for other in (gateway.get(place), gateway.get(f"/v1{place}", Accept="text/html")):
        assert (other.status, other.headers["content-type"]) == (404, "application/problem+json")


def test_a_compressed_body_is_refused(gateway: GatewayServer) -> None:
    headers = {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}
    assert gateway.ask("POST", "/v1/verdicts", b"x" * 10, headers).status == 415


def test_a_slow_body_is_given_up(gateway: GatewayServer) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        head = (
            "POST /v1/verdicts HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"x")
        assert b" 408 " in connection.recv(200)


def test_a_decompression_bomb_is_an_error_of_that_image_alone(gateway: GatewayServer, worker: WorkerProcess) -> None:
    answer = gateway.post_file("/v1/verdicts?wait=60", pages.png_bomb())
    assert answer.json["result"]["error"]["code"] == "too_many_pixels"


def test_an_archive_that_unpacks_to_much_is_not_an_image(gateway: GatewayServer, worker: WorkerProcess) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(50 * 1024 * 1024))
    answer = gateway.post_file("/v1/verdicts?wait=60", target.getvalue(), "holiday.jpg")
    assert answer.json["result"]["error"]["code"] == "not_an_image"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>.jpg", "../../etc/passwd", "C:\\x\\y.jpg", "a\x07b.jpg"])
def test_a_hostile_file_name_is_shown_harmlessly(gateway: GatewayServer, worker: WorkerProcess, name: str) -> None:
    job_id = gateway.post_file("/v1/verdicts?wait=30", pages.photo(6), name).json["job_id"]
    for place in (f"/verdicts/{job_id}", f"/verdicts/{job_id}/report"):
        text = gateway.get(place).body.decode()
        assert "<script>alert" not in text
        assert "../" not in text
        assert "\x07" not in text


def test_ids_cannot_be_guessed_and_nonsense_is_not_found(gateway: GatewayServer) -> None:
    gateway.post_file("/v1/verdicts", pages.photo(7))
    tried = [str(uuid.uuid4()) for _ in range(50)] + ["1", "..%2f..", "*", "%00", "x" * 500]
    assert {gateway.get(f"/v1/verdicts/{job_id}").status for job_id in tried} == {404}


def test_more_than_the_rate_is_429_with_a_time(client: "redis.Redis", redis_server: RedisServer) -> None:
    with running_gateway(redis_server.url, web_rate="2/minute") as gateway:
        statuses = [gateway.post_file("/v1/verdicts", pages.photo(8)) for _ in range(3)]
    assert [one.status for one in statuses] == [202, 202, 429]
    assert int(statuses[-1].headers["retry-after"]) > 0


def test_a_full_queue_and_full_room_for_uploads_are_503(client: "redis.Redis", redis_server: RedisServer) -> None:
    with running_gateway(redis_server.url, web_max_waiting=1) as gateway:
        assert [gateway.post_file("/v1/verdicts", pages.photo(9)).status for _ in range(2)] == [202, 503]
    client.flushall()
    size = len(pages.photo(1))
    with running_gateway(redis_server.url, web_uploads_bytes=size + 10) as gateway:
        assert [gateway.post_file("/v1/verdicts", pages.photo(n)).status for n in (1, 1, 2)] == [202, 202, 503]


def test_many_uploads_at_once_are_each_answered_or_told_to_come_later(
    gateway: GatewayServer, worker: WorkerProcess
) -> None:
    statuses: list[tuple[int, str]] = []

    def one(number: int) -> None:
        answer = gateway.post_file("/v1/verdicts?wait=60", pages.photo(number))
        statuses.append((answer.status, answer.json["status"] if answer.status == 200 else ""))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 60
    assert {status for status, _ in statuses} <= {200, 429, 503}
    assert all(state == "done" for status, state in statuses if status == 200)
    assert sum(status == 200 for status, _ in statuses) >= 16


def test_requests_from_other_sites_and_other_host_names_are_refused(gateway: GatewayServer) -> None:
    data = pages.photo(1)
    told = {"Content-Type": "image/jpeg"}
    for more in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
        assert gateway.ask("POST", "/v1/verdicts", data, told | more).status == 403
    assert gateway.ask("POST", "/v1/verdicts", data, told | {"Origin": gateway.url}).status == 202


def test_every_answer_has_a_strict_content_security_policy(gateway: GatewayServer) -> None:
    for place in ("/", "/queue", "/docs", "/v1/detectors", "/static/page.js", "/nowhere"):
        policy = gateway.get(place).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_health_and_metrics_and_the_api_document(gateway: GatewayServer) -> None:
    assert gateway.get("/healthz").status == 200
    wait_until(lambda: gateway.get("/readyz").status == 200, timeout=10)
    gateway.post_file("/v1/verdicts", pages.photo(1))
    assert b"web_accepted_total 1.0" in gateway.get("/metrics").body
    document = gateway.get("/openapi.json").json
    assert {"/v1/verdicts", "/v1/batches", "/v1/events", "/v1/detectors"} <= set(document["paths"])
    assert any(one["name"] == "ela" for one in gateway.get("/v1/detectors").json)
