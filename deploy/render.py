"""Renders the Helm chart with several values; manifests of Kubernetes' own kinds go to the folder that is named."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import helm_python as helm

CHART = Path(__file__).parent / "helm" / "img-ml"
# Kinds of KEDA and of the Prometheus operator, whose schemas no package carries.
FOREIGN = ("keda.sh/", "monitoring.coreos.com/")
CASES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "plain": {
        "keda": {"enabled": False},
        "gateway": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "monitoring": {"serviceMonitor": False, "rules": False, "dashboard": False},
    },
    "password": {
        "redis": {"tls": True, "username": "worker", "passwordSecret": {"name": "redis", "key": "password"}},
        "streams": ["{a}:jobs", "{b}:jobs"],
        "results": ["{a}:results", "{b}:results"],
        "worker": {"callbackSecret": "callbacks", "weightsClaim": "weights", "runtimeClassName": "nvidia"},
        "imagePullSecrets": [{"name": "registry"}],
    },
}


def main(folder: Path) -> int:
    """0 where the chart has no error and every case can be rendered."""
    folder.mkdir(parents=True, exist_ok=True)
    if errors := helm.lint(str(CHART))["errors"]:
        print(*errors, sep="\n", file=sys.stderr)  # noqa: T201
        return 1
    for case, values in CASES.items():
        for number, manifest in enumerate(_rendered(values)):
            if not any(f"apiVersion: {group}" in manifest for group in FOREIGN):
                (folder / f"{case}-{number}.yaml").write_text(manifest, encoding="utf-8")
    return 0


def _rendered(values: Mapping[str, Any]) -> Iterator[str]:
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(dict(values), name="demo", namespace="default")
    for text in files.values():
        yield from (one for one in text.split("\n---\n") if "apiVersion:" in one)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
