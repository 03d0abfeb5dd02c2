"""Failover: behind one address, and found by sentinels."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from tests.worker.processes import JOBS, WorkerProcess, push, results_of
from tests.worker.redis_server import RedisServer, embedded_executable, free_port, wait_until
from tests.worker.web import photo, running_web
from worker.streams.connections import connect, is_usable


class Address:
    """One address that leads to whichever server is the master; what is connected stays connected to the old one."""

    def __init__(self, port: int) -> None:
        self.port, self.target = free_port(), port

    async def __aenter__(self) -> "Address":
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)

        async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while chunk := await source.read(1 << 16):
                sink.write(chunk)
            sink.close()

        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer), return_exceptions=True)


@pytest.fixture
def pair(tmp_path: Path):
    """A master and its replica."""
    servers = [RedisServer(embedded_executable(), tmp_path / name).start() for name in ("one", "two")]
    with servers[1].client() as client:
        client.replicaof("127.0.0.1", servers[0].port)
        wait_until(lambda: client.info("replication")["master_link_status"] == "up", timeout=30)
    yield servers
    for server in servers:
        server.stop()


async def test_a_connection_to_what_has_become_a_replica_is_dropped(pair):
    one, two = pair
    async with Address(one.port) as address:
        client = connect(f"redis://127.0.0.1:{address.port}")
        write = client.register_script("return redis.call('SET', KEYS[1], 'x')")
        await write(keys=["a"])
        with two.client() as other:
            other.replicaof("NO", "ONE")
        with one.client() as other:
            other.replicaof("127.0.0.1", two.port)
        address.target = two.port
        with pytest.raises(RedisError):
            await write(keys=["b"])
        assert await write(keys=["b"])
        await client.aclose()
    with two.client() as other:
        assert other.get("b") == "x"


@pytest.fixture
def sentinels(pair, tmp_path: Path):
    """Two sentinels that watch the master; the URL that names them."""
    ports, processes = [free_port(), free_port()], []
    for port in ports:
        config = tmp_path / f"sentinel-{port}.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor main 127.0.0.1 {pair[0].port} 2\n"
            "sentinel down-after-milliseconds main 3000\nsentinel failover-timeout main 3000\n"
        )
        command = [embedded_executable(), str(config), "--sentinel"]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    yield f"redis+sentinel://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/main"
    for process in processes:
        process.kill()
        process.wait()


def test_a_worker_follows_the_sentinels_to_the_new_master(pair, sentinels):
    one, two = pair
    with running_web() as web:
        web.pages["/a.jpg"] = photo(1)
        with WorkerProcess({"REDIS_URL": sentinels, "FETCH_ALLOW": web.place}) as worker:
            worker.until_ready()
            with one.client() as client:
                push(client, "before", f"{web.url}/a.jpg")
                results_of(client, 1)
            one.stop()
            with two.client() as client:
                wait_until(lambda: client.info("replication")["role"] == "master", timeout=60)
                push(client, "after", f"{web.url}/a.jpg?2")
                wait_until(lambda: client.xlen(JOBS) == 0, timeout=60)
                assert set(results_of(client, 2)) == {"before", "after"}


@pytest.mark.parametrize("url", ["redis+sentinel://127.0.0.1:1", "redis+sentinel:///main", "redis+sentinel://a:b/main"])
def test_a_sentinel_url_without_sentinels_or_master_is_refused(url):
    assert not is_usable(url)
