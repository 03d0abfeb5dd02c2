"""The examples in docs/wire_format.md accept what the worker signs and nothing else."""

import json
import re
import shutil
import subprocess
import time

import pytest

from tests.worker.processes import ROOT
from worker.signatures import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

BODY = '{"jobId":"größer","mark":"AI"}'


def example(language: str) -> str:
    text = (ROOT / "docs" / "wire_format.md").read_text(encoding="utf-8").partition("## Callbacks")[2]
    return re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1]


def cases() -> list[tuple[str, dict[str, str], bool]]:
    now, old = str(int(time.time())), str(int(time.time()) - 3600)
    good = {TIMESTAMP_HEADER: now, SIGNATURE_HEADER: signature("s3cret", now, BODY.encode())}
    return [
        (BODY, good, True),
        (BODY.replace("AI", "NONAI"), good, False),
        (BODY, {TIMESTAMP_HEADER: old, SIGNATURE_HEADER: signature("s3cret", old, BODY.encode())}, False),
        (BODY, good | {TIMESTAMP_HEADER: str(int(now) + 1)}, False),
        (BODY, {TIMESTAMP_HEADER: now, SIGNATURE_HEADER: signature("other", now, BODY.encode())}, False),
        (BODY, {}, False),
    ]


def test_the_python_example():
    names: dict[str, object] = {}
    exec(example("python"), names)
    for body, headers, genuine in cases():
        assert names["is_genuine"]("s3cret", headers, body.encode()) is genuine


def test_the_node_example():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH")
    given = [(body, {name.lower(): value for name, value in headers.items()}) for body, headers, _ in cases()]
    script = example("js") + (
        f"const told = {json.dumps(given)}.map(([body, headers]) => isGenuine('s3cret', headers, Buffer.from(body)));\n"
        "console.log(JSON.stringify(told));"
    )
    ended = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ended.stdout) == [genuine for *_, genuine in cases()]
