"""The sandbox: whatever a file does there costs its limits, and nobody else's answer."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from forensics.errors import DecodeFailedError, JobError
from forensics.sandbox.examination import examine_bytes
from forensics.sandbox.processes import clean
from forensics.sandbox.sandbox import Sandbox, SandboxRules
from tests.worker import hostile


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxRules(processes=2, timeout_s=3, memory_mb=512)) as opened:
        yield opened


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(file, "PNG")
    return file.getvalue()


def environment() -> tuple[dict[str, str], str]:
    return dict(os.environ), Path("/proc/self/environ").read_text(encoding="utf-8")


def after(seconds: float, number: int) -> int:
    time.sleep(seconds)
    return number


def misbehave(how: str) -> int:
    {"crash": hostile.crash, "hang": hostile.hang, "swell": lambda: hostile.swell(4000), "refuse": hostile.refuse}.get(
        how, lambda: None
    )()
    return 1


def test_an_image_is_examined_in_another_process(sandbox):
    found = sandbox.run(examine_bytes, picture(), sandbox.rules.limits, ("ela",), True)
    assert found.sample.pixels.shape == (30, 40, 3)
    assert [signal.detector for signal in found.evidence.signals] == ["ela"]
    assert sandbox.run(os.getpid) != os.getpid()


def test_each_limit_ends_in_a_sentence_about_the_image(sandbox):
    told = {}
    for how in ("crash", "swell", "hang"):
        with pytest.raises(DecodeFailedError) as caught:
            sandbox.run(misbehave, how)
        told[how] = str(caught.value)
    assert told == {
        "crash": "The decoder crashed on this image.",
        "swell": "Decoding the image needs more than 512 MiB of memory.",
        "hang": "Decoding the image took longer than 3 s.",
    }


def test_what_one_file_does_leaves_the_answers_about_the_others(sandbox):
    asked = ["", "crash", "", "hang", "refuse", "swell", *[""] * 20, "crash", ""]
    answers = list(sandbox.each(misbehave, ((how,) for how in asked)))
    assert [isinstance(answer, JobError) for answer in answers] == [bool(how) for how in asked]


def test_answers_come_in_the_order_asked_and_only_few_wait(sandbox):
    taken = []

    def asked() -> Iterator[tuple[float, int]]:
        for number in range(40):
            taken.append(number)
            yield (0.1 if number % 7 == 0 else 0.0), number

    answers = sandbox.each(after, asked())
    assert next(answers) == 0
    assert len(taken) < 10
    assert list(answers) == list(range(1, 40))


def test_a_call_that_reads_several_images_has_the_time_of_as_many(sandbox):
    with pytest.raises(DecodeFailedError):
        sandbox.run(after, 4, 1)
    assert sandbox.run(after, 4, 1, images=2) == 1


def test_only_what_libraries_need_is_handed_on():
    given = {
        "PATH": "a",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "4",
        "CALLBACK_SECRET": "s",
        "REDIS_URL": "r",
        "HF_TOKEN": "t",
    }
    assert clean(given) == {"PATH": "a", "LC_ALL": "C", "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system does not show environments")
def test_decoding_processes_never_had_the_secrets_of_the_program(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os\n"
        "from forensics.sandbox.sandbox import Sandbox, SandboxRules\n"
        "from tests.forensics.sandbox.test_sandbox import environment\n"
        "if __name__ == '__main__':\n"
        "    with Sandbox(SandboxRules()) as sandbox:\n"
        "        held, began_with = sandbox.run(environment)\n"
        "    print('s3cret' in repr(held), 's3cret' in began_with, os.environ['HF_TOKEN'], 'PATH' in held)\n"
    )
    secrets = dict.fromkeys(("HF_TOKEN", "REDIS_URL", "CALLBACK_SECRET", "MY_PASSWORD"), "s3cret")
    paths = os.pathsep.join(filter(None, sys.path))
    ended = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, **secrets, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert ended.stdout.split() == ["False", "False", "s3cret", "True"], ended.stderr


def test_decoding_processes_end_with_a_program_that_is_killed(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, time\n"
        "from forensics.sandbox.sandbox import Sandbox, SandboxRules\n"
        "if __name__ == '__main__':\n"
        "    sandbox = Sandbox(SandboxRules())\n"
        "    print(sandbox.run(os.getpid), sandbox.run(os.getppid), flush=True)\n"
        "    time.sleep(60)\n"
    )
    paths = os.pathsep.join(filter(None, sys.path))
    with subprocess.Popen(
        [sys.executable, str(program)], env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, text=True
    ) as running:
        numbers = [int(number) for number in running.stdout.readline().split()]
        running.kill()
    for _ in range(100):
        if not any(alive(number) for number in numbers):
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {[number for number in numbers if alive(number)]}")


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
