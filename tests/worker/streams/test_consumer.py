"""Stable consumer names, one per running worker."""

import socket
import subprocess
import sys
import uuid

import pytest

from tests.worker.processes import ROOT, environment
from worker.streams.consumer import ConsumerName


@pytest.fixture
def queue() -> str:
    return uuid.uuid4().hex


def test_the_name_is_the_same_after_a_restart(queue):
    first = ConsumerName([queue])
    first.release()
    second = ConsumerName([queue])
    assert first.name == second.name == f"{socket.gethostname()}-0"
    second.release()


def test_workers_side_by_side_have_different_names_and_a_free_slot_is_used_again(queue):
    names = [ConsumerName([queue]) for _ in range(3)]
    assert len({name.name for name in names}) == 3
    names[1].release()
    again = ConsumerName([queue])
    assert again.name == names[1].name
    for name in (names[0], names[2], again):
        name.release()


def test_a_killed_worker_holds_no_slot(queue):
    code = f"from worker.streams.consumer import ConsumerName; import os; c = ConsumerName([{queue!r}]); print(c.name, flush=True); os.kill(os.getpid(), 9)"  # noqa: E501
    killed = subprocess.run([sys.executable, "-c", code], env=environment(), cwd=ROOT, capture_output=True, text=True)
    name = ConsumerName([queue])
    assert name.name == killed.stdout.strip()
    name.release()


def test_queues_do_not_disturb_each_other_and_a_chosen_name_is_kept(queue):
    one, other, chosen = ConsumerName([queue]), ConsumerName([f"{queue}x"]), ConsumerName([queue], "my-name")
    assert one.name == other.name
    assert chosen.name == "my-name"
    one.release()
    other.release()


def test_workers_that_share_only_some_of_their_queues_have_different_names_in_those(queue):
    one, other = f"{queue} 1", f"{queue} 2"
    both = ConsumerName([one, other])
    names = [both, ConsumerName([other, one]), ConsumerName([one]), ConsumerName([f"{queue} 3", other])]
    assert [name.name.rpartition("-")[2] for name in names] == ["0", "1", "2", "2"]
    both.release()
    again = ConsumerName([other])
    assert again.name == both.name
    for name in (*names, again):
        name.release()
