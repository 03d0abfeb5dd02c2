"""Consumer names: unlike any other by construction."""

import socket
import subprocess
import sys

from tests.worker.processes import ROOT, environment
from worker.streams.consumer import consumer_name


def test_no_two_names_are_alike_on_one_host_or_in_one_process():
    assert len({consumer_name() for _ in range(1000)}) == 1000


def test_a_fixed_name_and_another_temporary_folder_do_not_make_two_workers_one(tmp_path):
    """systemd PrivateTmp, pods on the host network, fixed container host names: nothing on disk tells them apart."""
    code = "from worker.streams.consumer import consumer_name; print(consumer_name('fixed'))"
    names = set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        told = subprocess.run(
            [sys.executable, "-c", code], env=environment(TMPDIR=str(tmp_path / folder)), cwd=ROOT,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        names.add(told.stdout.strip())
    assert len(names) == 2
    assert all(name.startswith("fixed-") for name in names)


def test_a_name_says_whose_it_is_and_holds_nothing_that_a_terminal_obeys():
    assert consumer_name().startswith(f"{socket.gethostname()}-")
    assert consumer_name("a b\x1b[2J/c").startswith("a_b__2J_c-")
