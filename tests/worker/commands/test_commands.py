"""`status` and `dlq` as commands, against real servers."""

import json
import subprocess
import sys
import threading

import pytest

from tests.worker.processes import DLQ, JOBS, RESULTS, ROOT, environment, push
from tests.worker.redis_server import wait_until
from worker.commands.shared import duration, without_control_characters


def command(settings: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env=environment(**settings), cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def redis_client(any_server):
    with any_server.client() as connection:
        yield connection


@pytest.fixture
def settings(any_server) -> dict[str, str]:
    return {"REDIS_URL": any_server.url}


def dead(client, job_id: str, reason: str = "It was no good.") -> str:
    return client.xadd(
        DLQ, {"data": json.dumps({"jobId": job_id}), "entry_id": "1-1", "reason": reason, "deliveries": "6"}
    )


def test_status_tells_how_the_queue_stands(redis_client, settings):
    for n in range(5):
        push(redis_client, f"job {n}")
    redis_client.xgroup_create(JOBS, "workers", "0")
    redis_client.xreadgroup("workers", "[red]one", {JOBS: ">"}, count=2)
    dead(redis_client, "x")
    done = command(settings, "status", "--json", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["length"], told["lag"], told["pending"], told["dead_letters"]) == (5, 3, 2, 1)
    assert [(one["name"], one["pending"]) for one in told["consumers"]] == [("[red]one", 2)]
    assert told["throughput"] is None
    table = command(settings, "status", "--seconds", "0").stdout
    assert "[red]one" in table
    assert "never delivered (lag) │ 3" in " ".join(table.split())


def test_status_marks_consumers_that_no_longer_live(redis_client, settings):
    push(redis_client, "job")
    redis_client.xgroup_create(JOBS, "workers", "0")
    redis_client.xreadgroup("workers", "gone", {JOBS: ">"}, count=1)
    wait_until(lambda: redis_client.xinfo_consumers(JOBS, "workers")[0]["idle"] > 900)
    redis_client.xgroup_createconsumer(JOBS, "workers", "alive")
    redis_client.xreadgroup("workers", "alive", {JOBS: ">"}, count=1)
    settings |= {"REDIS_CHECK_RATE": "100", "WORKER_LEASE_S": "0.4"}
    patient = settings | {"WORKER_LEASE_S": "3000"}
    told = json.loads(command(patient, "status", "--json", "--seconds", "0").stdout)
    assert [one["dead"] for one in told["consumers"]] == [False, False]
    told = json.loads(command(settings, "status", "--json", "--seconds", "0").stdout)
    assert {one["name"]: one["dead"] for one in told["consumers"]}["gone"] is True
    assert "dead" in command(settings, "status", "--seconds", "0").stdout.partition("gone")[2].partition("\n")[0]


def test_status_measures_the_throughput(redis_client, settings):
    redis_client.xadd(RESULTS, {"data": "{}"})
    push(redis_client, "first")
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            push(redis_client, "job")
            redis_client.xadd(RESULTS, {"data": "{}"})

    working = threading.Thread(target=work)
    working.start()
    try:
        told = json.loads(command(settings, "status", "--json", "--seconds", "1").stdout)["throughput"]
    finally:
        stop.set()
        working.join()
    assert told["seconds"] >= 1
    assert 1 < told["finished_per_s"] <= 60
    assert told["arrived_per_s"] == (None if redis_client.info()["redis_version"] < "7" else pytest.approx(40, abs=39))


def test_status_of_a_queue_nobody_has_used(redis_client, settings):
    done = command(settings, "status", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    assert "no worker has run" in done.stdout
    assert redis_client.keys() == []


@pytest.mark.parametrize("arguments", [("status",), ("dlq", "list"), ("dlq", "retry", "--all"), ("dlq", "drop", "1-1")])
def test_without_redis_a_sentence_and_exit_code_2(arguments):
    done = command({"REDIS_URL": "redis://user:secret@127.0.0.1:1/0"}, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: Redis cannot be used: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_without_a_url_the_private_redis_is_looked_at(tmp_path):
    done = command({"EMBEDDED_REDIS_DIR": str(tmp_path)}, "status", "--json", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["length"] == 0


def test_dead_letters_are_listed_and_a_reason_cannot_write_on_the_terminal(redis_client, settings):
    first = dead(redis_client, "a", "\x1b[31m[bold]bad\n")
    second = dead(redis_client, "b")
    done = command(settings, "dlq", "list", "--json", "--limit", "1")
    assert done.returncode == 0
    (told,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told["id"], told["job_id"], told["reason"], told["deliveries"]) == (first, "a", "\x1b[31m[bold]bad\n", 6)
    assert told["content"] == {"data": '{"jobId": "a"}'}
    assert "Showing 1 of 2 dead letters" in done.stderr
    table = command(settings, "dlq", "list").stdout
    assert first in table
    assert second in table
    assert "[31m[bold]bad" in table
    assert "\x1b" not in table


def test_a_letter_is_shown_whole(redis_client, settings):
    letter = dead(redis_client, "a", "It was no good.")
    raw = redis_client.xadd(DLQ, {b"data": b"{\xff\x1b[1m", "entry_id": "1-2", "reason": "no JSON", "deliveries": "1"})
    done = command(settings, "dlq", "show", letter)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["id"], told["job_id"], told["reason"], told["deliveries"]) == (letter, "a", "It was no good.", 6)
    assert told["content"] == {"data": {"jobId": "a"}}
    done = command(settings, "dlq", "show", raw, "1-1")
    assert done.returncode == 1
    assert json.loads(done.stdout)["content"] == {"data": "{\\xff\x1b[1m"}
    assert "\x1b" not in done.stdout
    assert "There is no dead letter 1-1." in done.stderr


def test_letters_are_retried_by_id_and_an_unknown_id_is_told(redis_client, settings):
    letter = dead(redis_client, "a")
    done = command(settings, "dlq", "retry", letter, "1-1")
    assert done.returncode == 1
    assert done.stdout == f"{letter}\n"
    assert "There is no dead letter 1-1." in done.stderr
    assert [fields for _, fields in redis_client.xrange(JOBS)] == [{"data": '{"jobId": "a"}'}]
    again = command(settings, "dlq", "retry", letter)
    assert (again.returncode, again.stdout) == (1, "")
    assert redis_client.xlen(JOBS) == 1


def test_all_letters_are_retried_or_dropped_up_to_the_limit(redis_client, settings):
    ids = [dead(redis_client, f"job {n}") for n in range(5)]
    done = command(settings, "dlq", "retry", "--all", "--limit", "2")
    assert (done.returncode, done.stdout.split()) == (0, ids[:2])
    done = command(settings, "dlq", "drop", "--all")
    assert (done.returncode, done.stdout.split()) == (0, ids[2:])
    assert (redis_client.xlen(JOBS), redis_client.xlen(DLQ)) == (2, 0)
    assert command(settings, "dlq", "retry", "--all").returncode == 0


@pytest.mark.parametrize("arguments", [(), ("--all", "1-1"), ("--limit", "3", "1-1")])
def test_neither_ids_nor_all_is_a_usage_error(settings, arguments):
    assert command(settings, "dlq", "drop", *arguments).returncode == 2


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "unknown"), (0, "0 ms"), (0.34, "340 ms"), (12.34, "12.3 s"), (250, "4 min 10 s"), (11_100, "3 h 5 min"),
     (187_200, "2 d 4 h")],
)  # fmt: skip
def test_a_duration_is_told_for_people(seconds, told):
    assert duration(seconds) == told


def test_a_strange_text_is_one_harmless_line():
    assert without_control_characters("a\x1b[1m\n\u202eb") == "a\ufffd[1m\ufffd\ufffdb"
    assert len(without_control_characters("x" * 1000)) == 200
