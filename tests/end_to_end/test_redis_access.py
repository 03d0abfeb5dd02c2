"""A Redis that wants to know who is there: a user who may do no more than a worker needs, and TLS."""

import datetime
import hashlib
import ipaddress
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.worker import web as pages
from tests.worker.processes import JOBS, ROOT, WorkerProcess, push, results_of
from tests.worker.redis_server import RedisServer, free_port, newer_executable, wait_until


def test_a_user_with_the_documented_rights_is_enough(client, redis_server, web, receiver):
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (rights,) = re.findall(r"^ACL SETUSER worker on >PASSWORD (.*)$", page, re.MULTILINE)
    client.execute_command("ACL", "SETUSER", "worker", "on", ">p@ss", *rights.split())
    settings = {
        "REDIS_URL": redis_server.url.replace("redis://", "redis://worker:p%40ss@"),
        "FETCH_ALLOW": web.place,
        "CALLBACK_ALLOW": receiver.place,
        "WORKER_VERDICT_CACHE_S": "60",
        "WORKER_ONCE_S": "60",
        "WORKER_RETRIES": "1",
        "WORKER_RETRY_DELAY_S": "0.1",
        "WORKER_HTTP_PORT": str(free_port()),
    }
    try:
        web.pages["/down.jpg"] = pages.status(503)
        push(client, "good", f"{web.url}/1.jpg", callback_url=receiver.url)
        push(client, "later", f"{web.url}/down.jpg")
        push(client, "", "no job")
        data = pages.photo(1)
        client.set(f"{JOBS}:upload:{hashlib.sha256(data).hexdigest()}", data)
        push(client, "sent", f"upload:{hashlib.sha256(data).hexdigest()}")
        with WorkerProcess(settings) as worker:
            found = results_of(client, 3)
            wait_until(lambda: receiver.taken and client.xlen("stream:ai:imageml:jobs:callbacks") == 0)
            assert "NOPERM" not in worker.said()
        assert {name: result["status"] for name, result in found.items()} == {
            "good": "done", "later": "error", "sent": "done",
        }  # fmt: skip

        assert client.xlen("stream:ai:imageml:jobs:dlq") == 1
    finally:
        client.execute_command("ACL", "DELUSER", "worker")


def test_a_worker_speaks_tls_and_checks_the_certificate(tmp_path, web):
    executable = newer_executable()
    if executable is None:
        pytest.skip("no redis-server >= 7 on PATH")
    authority = write_certificate(tmp_path)
    server = RedisServer(executable, tmp_path / "redis", tls=tmp_path)
    try:
        server.start()
    except AssertionError:
        pytest.skip("the redis-server on PATH speaks no TLS")
    try:
        settings = {"FETCH_ALLOW": web.place}
        with server.client() as client, WorkerProcess(settings | {"REDIS_URL": server.url}) as distrustful:
            wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in distrustful.said(), timeout=60)
            push(client, "one", f"{web.url}/1.jpg")
            with WorkerProcess(settings | {"REDIS_URL": f"{server.url}?ssl_ca_certs={authority}"}):
                assert results_of(client, 1)["one"]["status"] == "done"
    finally:
        server.stop()


def write_certificate(folder: Path) -> Path:
    """`redis.crt` and `redis.key` in the folder, for 127.0.0.1 and signed by itself; the certificate's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "redis.crt").write_bytes(certificate.public_bytes(pem))
    (folder / "redis.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "redis.crt"


@pytest.mark.parametrize("lacking", ["-xadd", "-xack", "-zadd", "-xgroup"])
def test_a_user_who_could_not_finish_a_job_is_refused_at_the_start(client, redis_server, lacking):
    client.execute_command("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+@all", lacking)
    try:
        with WorkerProcess({"REDIS_URL": redis_server.url.replace("redis://", "redis://poor:pw@")}) as worker:
            assert worker.ended(60) != 0
            assert f"may not run {lacking[1:].upper()} on stream:ai:imageml:" in worker.said()
    finally:
        client.execute_command("ACL", "DELUSER", "poor")
    assert not client.keys()
