"""`/metrics` of real processes, and the alert rules of the guide in the Prometheus of Debian."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.cli.conftest import Run
from tests.conftest import TOKEN_KEYS_SETTING
from tests.support.commands import Server, answers, free_port, running_command, running_server
from tests.support.waiting import wait_until

from tessera.kit.db import backlog
from tessera.kit.db.connections import connected
from tessera.kit.metrics.collectors import BacklogCollector, ProcessCollector
from tessera.provision import Addresses

RULES = Path(__file__).parents[2] / "docs" / "files" / "tessera-alerts.yml"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")

needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None and "CI" not in os.environ, reason="these tests need prometheus, which is not installed"
)


def samples(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples at a port, by name and labels."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sample(port: int, name: str, **labels: str) -> float | None:
    return samples(port).get((name, frozenset(labels.items())))


@pytest.fixture
def failed_job(superuser: psycopg.Connection[Any]) -> Iterator[str]:
    """The task of a job that has failed."""
    task = f"tessera:fail-{os.getpid()}"
    superuser.execute(
        "insert into procrastinate_jobs (queue_name, task_name, status) values ('default', %s, 'failed')", [task]
    )
    yield task
    superuser.execute("delete from procrastinate_jobs where task_name = %s", [task])


@contextmanager
def running_worker(addresses: Addresses, port: int) -> Iterator[None]:
    """A worker with metrics on this port."""
    settings = {"TESSERA_DATABASE_URL": addresses.application, "TESSERA_METRICS_PORT": str(port)}
    with running_command("worker", **settings) as process:
        url = f"http://127.0.0.1:{port}/metrics"
        wait_until("the worker has metrics", lambda: process.poll() is not None or answers(url))
        yield


@pytest.fixture(scope="module")
def api(addresses: Addresses, place: Path) -> Iterator[tuple[Server, int]]:
    """An API in two processes, and the port of its metrics."""
    port = free_port()
    settings = {"TESSERA_DATABASE_URL": addresses.application, "TESSERA_METRICS_PORT": str(port)}
    with running_server("api", data=place, TESSERA_PROCESSES="2", **TOKEN_KEYS_SETTING, **settings) as server:
        yield server, port


def test_the_requests_of_all_processes_add_up(api: tuple[Server, int]) -> None:
    server, port = api
    labels = {"method": "GET", "route": "/health/ready", "status": "2xx"}
    for _ in range(10):  # each on a connection of its own, so that both processes accept some
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
    assert httpx.request("PROPFIND", f"{server.url}/no/such/path", timeout=30).status_code == 404
    name = "tessera_http_request_duration_seconds_count"
    wait_until("ten requests are counted", lambda: sample(port, name, **labels) == 10)
    wait_until("the other one is", lambda: sample(port, name, method="", route="", status="4xx") == 1)
    assert sample(port, "tessera_processes") == 2
    assert sample(port, "tessera_database_connections_max") == 20
    assert (
        0 < (sample(port, "tessera_open_file_descriptors") or 0) < (sample(port, "tessera_max_file_descriptors") or 0)
    )
    assert sample(port, "tessera_database_up") is None, "the worker knows it"


def test_metrics_on_a_port_in_use_are_refused(api: tuple[Server, int], run: Run) -> None:
    result = run("worker", TESSERA_METRICS_PORT=str(api[1]))
    line = f"tessera: cannot serve metrics on 127.0.0.1:{api[1]}: Address already in use;"
    assert (result.returncode, result.stderr.splitlines()[-1]) == (
        1,
        f"{line} set TESSERA_METRICS_PORT to another port",
    )


def test_the_backlog_names_failed_jobs_and_the_age_of_waiting_ones(
    addresses: Addresses, superuser: psycopg.Connection[Any], failed_job: str
) -> None:
    superuser.execute(
        "insert into procrastinate_jobs (queue_name, task_name, scheduled_at)"
        " values ('default', %(task)s, null), ('default', %(task)s, now() + interval '1 hour')",
        {"task": failed_job},
    )
    # A trigger has written when the jobs were deferred.
    superuser.execute(
        "update procrastinate_events set at = now() - interval '1 hour' from procrastinate_jobs as jobs"
        " where jobs.id = job_id and task_name = %s and status = 'todo'",
        [failed_job],
    )
    with connected(addresses.application, seconds=30) as connection:
        found = backlog.read(connection)
    ages = {jobs.state: round(jobs.oldest_seconds / 60) for jobs in found.jobs if jobs.task == failed_job}
    assert ages == {"failed": 0, "scheduled": 0, "waiting": 60}
    assert abs(found.clock_seconds) < 5


def test_a_database_that_is_away_is_all_that_is_known() -> None:
    away = f"postgresql://tessera_app@127.0.0.1:{free_port()}/tessera"
    families = list(BacklogCollector(away).collect())
    assert [(each.name, each.samples[0].value) for each in families] == [("tessera_database_up", 0)]


@needs_prometheus
def test_prometheus_fires_an_alert_on_a_failed_job(addresses: Addresses, tmp_path: Path, failed_job: str) -> None:
    port, metrics = free_port(), free_port()
    (tmp_path / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}\n"
        f"rule_files: ['{RULES}']\n"
        f"scrape_configs: [{{job_name: tessera, static_configs: [{{targets: ['127.0.0.1:{metrics}']}}]}}]\n"
    )
    arguments = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with running_worker(addresses, metrics), (tmp_path / "log").open("wb") as log:
        command = [str(PROMETHEUS), *arguments, f"--web.listen-address=127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            alert = {"alertname": "TesseraJobsFailed", "task": failed_job, "severity": "warning"}
            wait_until("the alert fires", lambda: alert in [each["labels"] for each in firing(port)])
        finally:
            process.kill()
            process.wait(30)


def firing(port: int) -> list[Mapping[str, Any]]:
    """The alerts that fire in a Prometheus."""
    try:
        response = httpx.get(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=30)
    except httpx.TransportError:
        return []
    alerts = response.json()["data"]["alerts"] if response.status_code == 200 else []
    return [alert for alert in alerts if alert["state"] == "firing"]


def test_rules_dashboard_and_guide_name_what_exists(addresses: Addresses) -> None:
    families = [*ProcessCollector(None).collect(), *BacklogCollector(addresses.application).collect()]
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    known = {each.name + suffix for each in families for suffix in suffixes.get(each.type, ("",))}
    rules, dashboard = RULES.read_text(), RULES.with_name("tessera-dashboard.json").read_text()
    assert set(re.findall(r"tessera_\w+", rules + dashboard)) <= known
    guide = (RULES.parents[1] / "monitoring.md").read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    assert re.findall(r"^### (\w+)$", guide, re.MULTILINE) == alerts
    assert re.findall(r"monitoring.html#(\w+)", rules) == [alert.lower() for alert in alerts]
    undocumented = {each.name for each in families if f"`{each.name}" not in guide}
    assert undocumented == {"tessera_database_connections_max", "tessera_database_connections_waiting"}, (
        "one line has all"
    )
