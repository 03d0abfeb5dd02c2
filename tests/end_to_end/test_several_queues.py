"""One worker on several job streams: on one Redis, and on the shards of a cluster."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.worker import web as pages
from tests.worker.processes import ROOT, WorkerProcess, environment
from tests.worker.redis_server import RedisClusterServer, embedded_executable, newer_executable, wait_until

PER_QUEUE = 20


@pytest.fixture(scope="module", params=["embedded", pytest.param("newer", marks=pytest.mark.slow)])
def cluster(request, tmp_path_factory) -> Iterator[RedisClusterServer]:
    executable = embedded_executable() if request.param == "embedded" else newer_executable()
    if executable is None:
        pytest.skip("no redis-server >= 7 on PATH")
    server = RedisClusterServer(executable, tmp_path_factory.mktemp("cluster"))
    try:
        yield server.start()
    finally:
        server.stop()


def push_to(client, stream: str, web: pages.Web) -> set[str]:
    jobs = {f"{stream} {n}" for n in range(PER_QUEUE)}
    for n in range(PER_QUEUE):
        job = {"jobId": f"{stream} {n}", "image_url": f"{web.url}/{n}.jpg"}
        client.xadd(stream, {"data": json.dumps(job)})
    return jobs


def answered(client, stream: str) -> list[str]:
    return [json.loads(fields["data"])["job_id"] for _, fields in client.xrange(stream)]


def test_several_streams_share_one_worker_and_each_has_its_own_results(client, redis_server, web):
    settings = {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place}
    settings |= {"WORKER_STREAM": "a:jobs, b:jobs", "WORKER_RESULTS": "a:results,b:results", "WORKER_IN_FLIGHT": "3"}
    expected = {name: push_to(client, f"{name}:jobs", web) for name in "ab"}
    with WorkerProcess(settings) as worker:
        for name in "ab":
            wait_until(lambda name=name: client.xlen(f"{name}:results") >= PER_QUEUE, timeout=60)
            found = answered(client, f"{name}:results")
            assert (set(found), len(found)) == (expected[name], PER_QUEUE)
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0
    assert client.xlen("a:jobs") == client.xlen("b:jobs") == 0


def test_several_streams_may_share_one_result_stream(client, redis_server, web):
    settings = {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place, "WORKER_STREAM": "a:jobs,b:jobs"}
    expected = push_to(client, "a:jobs", web) | push_to(client, "b:jobs", web)
    with WorkerProcess(settings, "0", "0.5") as worker:
        assert worker.ended(60) == 0
    found = answered(client, "stream:ai:imageml:results")
    assert (set(found), len(found)) == (expected, 2 * PER_QUEUE)


def test_a_backlog_does_not_hold_up_the_stream_with_more_weight(client, redis_server, web):
    settings = {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place, "WORKER_STREAM": "urgent:jobs=4,jobs=1"}
    settings |= {"WORKER_RESULTS": "urgent:results,results", "WORKER_IN_FLIGHT": "10", "WORKER_BATCH_SIZE": "5"}
    for _ in range(5):
        push_to(client, "jobs", web)
    push_to(client, "urgent:jobs", web)
    with WorkerProcess(settings, "0.1"):
        wait_until(lambda: client.xlen("urgent:results") == PER_QUEUE, timeout=60)
        assert client.xlen("results") < PER_QUEUE


def test_a_worker_that_ends_when_idle_waits_until_all_its_streams_are(client, redis_server, web):
    settings = {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place, "WORKER_STREAM": "a:jobs,b:jobs"}
    push_to(client, "a:jobs", web)
    with WorkerProcess(settings | {"WORKER_BATCH_SIZE": "1"}, "0.2", "0.5") as worker:
        wait_until(lambda: client.xlen("stream:ai:imageml:results") >= PER_QUEUE // 2, timeout=60)
        push_to(client, "b:jobs", web)  # the stream b has been idle for long
        assert worker.ended(60) == 0
    assert client.xlen("stream:ai:imageml:results") == 2 * PER_QUEUE


def tags_of_each_node(cluster: RedisClusterServer) -> list[str]:
    """A hash tag whose keys live on the first node, and one for the second."""
    with cluster.client() as client:
        by_port = {client.get_node_from_key(f"{{imgml:{n}}}").port: f"{{imgml:{n}}}" for n in range(50)}
    return [by_port[node.port] for node in cluster.nodes]


def test_the_shards_of_a_cluster_are_worked_on_and_survive_a_killed_worker(cluster, web):
    tags = tags_of_each_node(cluster)
    jobs, results = [f"{tag}:jobs" for tag in tags], [f"{tag}:results" for tag in tags]
    settings = {
        "REDIS_URL": cluster.url,
        "FETCH_ALLOW": web.place,
        "WORKER_STREAM": ",".join(jobs),
        "WORKER_RESULTS": ",".join(results),
        "WORKER_VERDICT_CACHE_S": "60",
        "WORKER_ONCE_S": "60",
    }
    with cluster.client() as client:
        expected = [push_to(client, stream, web) for stream in jobs]
        with WorkerProcess(settings, "0.1") as first, WorkerProcess(settings, "0.05"):
            first.until_ready()
            wait_until(lambda: sum(client.xlen(stream) for stream in results) >= 10, timeout=60)
            first.kill()
            for stream, waiting, ids in zip(results, jobs, expected, strict=True):
                wait_until(lambda stream=stream: client.xlen(stream) >= PER_QUEUE, timeout=60)
                wait_until(lambda waiting=waiting: not client.xlen(waiting))
                found = answered(client, stream)
                assert (set(found), len(found)) == (ids, PER_QUEUE)


def run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=environment(**settings), cwd=ROOT, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip


def test_the_commands_speak_with_a_cluster(cluster, web):
    tags = tags_of_each_node(cluster)
    settings = {
        "REDIS_URL": cluster.url,
        "WORKER_STREAM": ",".join(f"{tag}:pushed" for tag in tags),
        "WORKER_RESULTS": ",".join(f"{tag}:answers" for tag in tags),
        "FETCH_ALLOW": web.place,
    }
    with WorkerProcess(settings):
        pushed = run("scripts.push", *(f"{web.url}/{n}.jpg" for n in range(6)), **settings)
    assert (pushed.returncode, len(pushed.stdout.splitlines())) == (0, 6), pushed.stderr
    told = run("worker", "status", "--seconds", "0", "--json", **settings)
    states = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(state["stream"], state["results"]) for state in states] == [(f"{tag}:pushed", 3) for tag in tags]
    with cluster.client() as client:
        client.xadd(f"{tags[1]}:pushed:dlq", {"jobId": "given up"})
    listed = run("worker", "dlq", "list", "--json", "--stream", f"{tags[1]}:pushed", **settings)
    assert json.loads(listed.stdout)["job_id"] == "given up"
    unnamed = run("worker", "dlq", "list", **settings)
    assert unnamed.returncode == 2
    assert "--stream" in unnamed.stderr


def test_a_cluster_that_is_not_called_one_is_refused_with_a_sentence(cluster):
    ended = run("tests.worker.run_worker", REDIS_URL=cluster.nodes[0].url)
    assert ended.returncode != 0
    assert "write REDIS_URL as redis+cluster://" in ended.stderr


def test_a_redis_that_is_called_a_cluster_and_is_none_is_refused_with_a_sentence(redis_server):
    url = redis_server.url.replace("redis://", "redis+cluster://").removesuffix("/0")
    names = {"WORKER_STREAM": "{a}:jobs", "WORKER_RESULTS": "{a}:results"}
    ended = run("worker", REDIS_URL=url, **names)
    assert (ended.returncode, "Redis is not a cluster" in ended.stderr) == (2, True), ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_key_of_another_type_is_named_in_a_sentence(client, redis_server):
    client.set("b:results", "occupied")
    names = {"WORKER_STREAM": "a:jobs,b:jobs", "WORKER_RESULTS": "a:results,b:results"}
    ended = run("worker", REDIS_URL=redis_server.url, **names)
    assert ended.returncode == 2
    assert "The key b:results in Redis is a string" in ended.stderr
    assert "Traceback" not in ended.stderr
