"""A release: one place says its version, and the change log has a section for it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from forensics.version import USER_AGENT, version

ROOT = Path(__file__).parent.parent
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_project_file_alone_says_the_version() -> None:
    assert version() == VERSION
    assert f"img_ml/{VERSION}".encode() == USER_AGENT
    told = subprocess.run(
        [sys.executable, "-m", "scripts.command", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert told.stdout == f"img-ml {VERSION}\n"
    for package in ("forensics", "img_ml", "fusion", "worker", "scripts"):
        for path in (ROOT / package).rglob("*.py"):
            assert not re.search(r"img[-_]ml[/ ]\d|__version__ =", path.read_text(encoding="utf-8")), path


def test_the_change_log_has_unreleased_changes_then_this_release() -> None:
    sections = re.findall(r"^## (.*)$", CHANGES, re.MULTILINE)
    assert sections[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d", sections[1])


def test_every_change_stands_below_its_kind() -> None:
    for section in re.split(r"^## ", CHANGES, flags=re.MULTILINE)[1:]:
        _, *parts = re.split(r"^### ", section, flags=re.MULTILINE)
        named = [part.partition("\n")[0] for part in parts]
        assert set(named) <= KINDS
        assert len(set(named)) == len(named)
        assert section.count("\n- ") == sum(part.count("\n- ") for part in parts)
