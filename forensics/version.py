"""The release: pyproject.toml says it, and nothing else does."""

import tomllib
from importlib import metadata
from pathlib import Path

PACKAGE = "img_ml"
_PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def version() -> str:
    """The version of the clone that this file lies in, or of the installed package; "0" where neither is told."""
    if _PYPROJECT.is_file():
        project = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == PACKAGE:
            return str(project["version"])
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "0"


# What a request of ours calls itself.
USER_AGENT = f"{PACKAGE}/{version()}".encode()
