"""The memory that there is: the least of the machine's and what the control groups allow."""

import os
from pathlib import Path

import pytest

from forensics.sandbox import settings
from forensics.sandbox.memory import memory_mb
from forensics.sandbox.settings import SandboxSettings

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def system(root: Path, cgroup: str, limits: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for place, value in limits.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(value)
    return root


def test_without_groups_it_is_the_machine_s(tmp_path):
    assert memory_mb(tmp_path) == MACHINE
    assert memory_mb(system(tmp_path, "0::/a\n", {"sys/fs/cgroup/a/memory.max": "max\n"})) == MACHINE


@pytest.mark.parametrize(
    ("cgroup", "limits"),
    [
        ("0::/a/b\n", {"sys/fs/cgroup/a/memory.max": f"{2**28}\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}),
        ("0::/a/b\n", {"sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.max": f"{2**28}\n"}),
        # Inside a container: the path is another's, the mounted group is one's own.
        ("0::/docker/1234\n", {"sys/fs/cgroup/memory.max": f"{2**28}\n"}),
        (
            "5:cpu:/x\n4:memory,hugetlb:/a\n",
            {
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{2**28}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2**63 - 4096}\n",
            },
        ),
    ],
)
def test_the_tightest_group_decides(tmp_path, cgroup, limits):
    assert memory_mb(system(tmp_path, cgroup, limits)) == 256


@pytest.mark.parametrize(
    ("there", "processes", "expected"), [(None, 4, 4096), (64_000, 2, 4096), (4096, 2, 1536), (1000, 4, 256)]
)
def test_an_image_may_take_a_share_of_it(monkeypatch, there, processes, expected):
    monkeypatch.setattr(settings, "memory_mb", lambda: there)
    assert SandboxSettings(worker_decode_processes=processes).decode_memory_mb == expected
    assert SandboxSettings(worker_decode_processes=processes, worker_decode_memory_mb=100).decode_memory_mb == 100
