"""`tessera serve --demo` from its start to its end, with signals and kills."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.support.commands import (
    SECONDS_TO_END,
    TESSERA,
    Server,
    answers,
    children_of,
    free_port,
    postgres_runs,
    postmaster_of,
    running_command,
    running_server,
    serving_children,
    tessera,
)
from tests.support.waiting import wait_until

from tessera.cli.greeting import show_banner
from tessera.cli.server import is_local_only, pages_of
from tessera.demo import credentials
from tessera.settings import Settings

ORGANIZATION = [
    "name",
    "clientId",
    "clientSecret",
    "administratorToken",
    "voucherToken",
    "partnerToken",
    "partnerName",
    "apiKey",
    "storeExamCodes",
    "productBundleId",
]


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    """A server with demonstration data."""
    with running_server("serve", "--demo", data=place / "data") as found:
        yield found


@pytest.fixture
def ended_server(server: Server) -> Server:
    """The stopped server, whose directory other servers may use; for the last tests of this module."""
    if server.process.poll() is None:
        server.stop()
    return server


def read_credentials(server: Server) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads((server.data / "demo.json").read_text())["organizations"]
    return result


def read_greeting(server: Server) -> list[str]:
    wait_until("the banner is printed", lambda: "Ctrl-C stops it; the data is kept.\n" in server.process.output)
    return [line.strip() for line in server.process.output.splitlines()]


def connected_sockets(server: Server) -> set[str]:
    """The connected sockets at the server's port, by the names that the files of a process have."""
    port = f":{int(server.url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{line[9]}]" for line in lines if line[1].endswith(port) and line[3] == "01"}


def spread(server: Server, connections: int) -> dict[int, int]:
    """The number of connections that each process of the server accepts of several that arrive together."""
    counts: dict[int, int] = {}

    def are_accepted() -> bool:
        counts.clear()
        counts.update(accept_counts(server, connections))
        return sum(counts.values()) == connections

    wait_until(f"{connections} connections are accepted", are_accepted)
    return counts


def accept_counts(server: Server, connections: int) -> dict[int, int]:
    """What `spread` returns, after five seconds at most: the server closes connections without a request after ten."""
    port, end, counts = int(server.url.rpartition(":")[2]), time.monotonic() + 5, dict[int, int]()
    with ExitStack() as opened:
        for _ in range(connections):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        while sum(counts.values()) != connections and time.monotonic() < end:
            connected = connected_sockets(server)
            counts = {
                child: count for child in children_of(server.process.pid) if (count := count_of(child, connected))
            }
            time.sleep(0.02)
    return counts


def count_of(pid: int, connected: set[str]) -> int:
    """The number of these sockets that a process has accepted."""
    result = 0
    with suppress(OSError):  # the process has ended
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # the process ends just now, or has just closed the file
                result += str(file.readlink()) in connected
    return result


def has_ended(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def is_logged_as_dead(server: Server, pid: int) -> bool:
    lines = map(json.loads, server.process.log.splitlines())
    return any(line.get("pid") == pid and line.get("exit_code") == -signal.SIGKILL for line in lines)


def both_accept(server: Server) -> bool:
    """Whether two processes accept connections, which they do once their application has started."""
    return len(spread(server, 16)) == 2


def has_worker(data: Path, *, since: datetime) -> bool:
    """Whether a worker has registered in the database, which it does after it has installed its signal handlers."""
    try:
        with psycopg.connect(**socket_of(data), dbname="tessera", user="postgres") as connection:
            query = "select from procrastinate_workers where last_heartbeat > %s"
            return connection.execute(query, [since]).fetchone() is not None
    except (OSError, IndexError, psycopg.OperationalError):
        return False  # the database is not ready


def socket_of(data: Path) -> dict[str, Any]:
    """Host and port of the embedded Postgres."""
    return {"host": (data / "postgres" / "postmaster.pid").read_text().splitlines()[4], "port": 5432}


def validate(server: Server) -> httpx.Response:
    key = read_credentials(server)[0]["apiKey"]
    return httpx.get(f"{server.url}/api/v1/promo-codes?code=PER10", headers={"cv-api-key": key}, timeout=90)


def printed_by(lines: list[str], data: Path) -> Iterator[bytes]:
    """What each request of the greeting prints in a shell with the variables that the greeting names."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    variables = next(line for line in lines if line.startswith("eval "))
    for line in lines:
        if line.startswith("curl "):
            script = f"{variables}\n{line.replace('curl ', 'curl -sS ', 1)}"
            environment = os.environ | {"TESSERA_DATA_DIR": str(data)}
            yield subprocess.run(
                ["sh", "-c", script], env=environment, capture_output=True, check=True, timeout=60
            ).stdout


def test_the_printed_requests_work_as_printed_and_only_a_terminal_shows_their_secrets(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    greeting = read_greeting(server)
    assert greeting[:4] == [
        f"Creating a Postgres in {server.data} ...",
        "Applying migrations ...",
        "Loading the demonstration data ...",
        "",
    ]
    assert f"Tessera serves on {server.url}" in greeting
    assert f"docs page  {server.url}/docs" in greeting
    secret = read_credentials(server)[0]["administratorToken"]
    assert secret not in server.process.output
    assert f"storefront {server.url}/demo/storefront" in greeting
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys, "argv", [str(TESSERA)])
    show_banner(server.url, {}, server.data, credentials.read(server.data / "demo.json"))
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert secret in shown
    answered = [json.loads(answer) for answer in printed_by(shown, server.data)]
    assert answered[0] == {"success": True, "data": [{"flatDiscount": 10.0}]}
    assert sorted(answered[1]) == ["authToken", "code"]
    assert sorted(answered[2]) == ["data", "nextLink"]
    assert answered[2]["data"]


def test_demo_json_has_every_credential_and_only_its_owner_can_read_it(server: Server) -> None:
    path = server.data / "demo.json"
    content = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(content) == ["baseUrl", "platformAdministratorToken", "organizations"]
    assert content["baseUrl"] == server.url
    assert [list(each) for each in content["organizations"]] == [ORGANIZATION] * len(content["organizations"])
    assert len({each["name"] for each in content["organizations"]}) > 1


def test_the_shell_takes_the_url_and_the_credentials_from_a_command(server: Server) -> None:
    printed = tessera("demo", "env", TESSERA_DATA_DIR=str(server.data)).stdout
    script = f"{printed}\nenv"
    lines = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True).stdout.splitlines()
    variables = dict(line.split("=", 1) for line in lines if line.startswith("DEMO_"))
    first = read_credentials(server)[0]
    assert len(variables) == printed.count("export ")
    assert (variables["DEMO_URL"], variables["DEMO_ORGANIZATION"]) == (server.url, first["name"])
    assert variables["DEMO_CLIENT_SECRET"] == first["clientSecret"]


def test_a_shell_without_demonstration_data_is_told_how_to_load_it(tmp_path: Path) -> None:
    result = tessera("demo", "env", TESSERA_DATA_DIR=str(tmp_path))
    advice = "run `tessera serve --demo` first, with the same TESSERA_DATA_DIR"
    assert (result.returncode, result.stdout, result.stderr) == (
        1,
        "",
        f"tessera: there is no {tmp_path}/demo.json; {advice}\n",
    )


def test_the_storefront_is_served_with_the_key_of_the_first_organization(server: Server) -> None:
    first = read_credentials(server)[0]
    page_settings = httpx.get(f"{server.url}/demo/storefront/settings.json", timeout=90).json()
    assert httpx.get(f"{server.url}/demo/storefront", timeout=90).status_code == 200
    assert (page_settings["organization"], page_settings["apiKey"]) == (first["name"], first["apiKey"])
    assert [exam["code"] for exam in page_settings["exams"]] == first["storeExamCodes"]


@pytest.mark.parametrize(
    ("address", "proxies", "expected"),
    [("127.0.0.1", (), True), ("::1", (), True), ("0.0.0.0", (), False), ("127.0.0.1", ("127.0.0.1",), False)],
)
def test_a_key_is_shown_only_by_servers_that_only_this_machine_can_reach(
    address: str, proxies: tuple[str, ...], *, expected: bool
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        assert is_local_only(Settings(trusted_proxies=proxies), listener) is expected


def test_a_server_without_docs_names_no_docs_page() -> None:
    assert pages_of(Settings(docs=False)) == {"home page": "/"}


def test_commands_join_the_running_server_and_sign_with_its_key(server: Server) -> None:
    settings = {"TESSERA_DATA_DIR": str(server.data)}
    name = read_credentials(server)[0]["name"]
    user = ("--organization", name, "--email", "grace@example.com")
    rights = ("--first-name", "Grace", "--last-name", "Hopper", "--function-point", "PartnerManagePromoCodes")
    assert tessera("user", "create", *user, *rights, **settings).returncode == 0
    token = json.loads(tessera("token", "issue", *user, "--json", **settings).stdout)["token"]
    answer = httpx.get(f"{server.url}/promo-codes", headers={"Authorization": f"Bearer {token}"}, timeout=90)
    assert answer.status_code == 200
    assert answers(f"{server.url}/health/ready")


def test_a_role_that_row_level_security_does_not_bind_is_refused(server: Server) -> None:
    with psycopg.connect(**socket_of(server.data), user="postgres", autocommit=True) as admin:
        for power in ("superuser", "bypassrls"):
            admin.execute(f"alter role tessera_app {power}")
            result = tessera("worker", "--embedded", TESSERA_DATA_DIR=str(server.data))
            admin.execute(f"alter role tessera_app no{power}")
            assert (result.returncode, result.stdout) == (1, "")
            assert result.stderr == (
                "tessera: cannot use the database: the role tessera_app is a superuser or has BYPASSRLS,"
                " which disables tenant isolation\n"
            )


def test_after_a_kill_of_postgres_requests_get_503_until_it_is_back(server: Server) -> None:
    assert validate(server).status_code == 200
    killed = postmaster_of(server.data)
    assert subprocess.run(["kill", "-9", str(killed)], check=False).returncode == 0
    statuses = set()

    def is_back() -> bool:
        answer = validate(server)
        statuses.add(answer.status_code)
        if answer.status_code == 503:
            assert answer.headers["Retry-After"]
            assert answer.json() == {"success": False, "message": "The database is not available. Try again shortly."}
        return answer.status_code == 200 and postmaster_of(server.data) != killed

    wait_until("the database is back", is_back)
    assert statuses == {200, 503}
    assert answers(f"{server.url}/health/ready")


def test_a_killed_server_starts_again_with_the_same_credentials_and_ends_cleanly(server: Server) -> None:
    before = read_credentials(server)
    server.process.kill()
    server.process.wait(SECONDS_TO_END)
    for number in (signal.SIGINT, signal.SIGTERM):
        with running_server("serve", "--demo", data=server.data) as again:
            assert read_credentials(again) == before
            assert validate(again).status_code == 200
            status, _ = again.stop(number)
            assert status == 0
        assert not postgres_runs(server.data)


def test_signals_at_any_moment_of_the_start_leave_nothing_behind(ended_server: Server) -> None:
    for delay, number in ((0.3, signal.SIGINT), (0.8, signal.SIGTERM), (1.1, signal.SIGINT)):
        with running_command("serve", "--demo", TESSERA_DATA_DIR=str(ended_server.data), PORT="0") as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(delay)
            process.send_signal(number)
            time.sleep(0.02)
            process.send_signal(number)  # a second signal does no harm while the first one is handled
            assert process.wait(SECONDS_TO_END) in (0, -number, 128 + number)
            # Python ignores an exception in a destructor and logs it; then the second signal ends the process.
            assert "Traceback" not in process.log.partition("Exception ignored in")[0]
        wait_until("Postgres has ended", lambda: not postgres_runs(ended_server.data))


def test_several_processes_share_connections_are_replaced_and_end_together(ended_server: Server) -> None:
    keys = {"TESSERA_TOKEN_KEYS": f"demo:{(ended_server.data / 'token.key').read_text()}"}
    with running_server("api", "--embedded", data=ended_server.data, TESSERA_PROCESSES="2", **keys) as several:
        assert validate(several).status_code == 200
        for _ in range(2):
            wait_until("both processes accept connections", lambda: both_accept(several), pause=0.1)
            counts = spread(several, 64)
            assert (len(counts), min(counts.values()) >= 8) == (2, True), counts
            killed = min(counts)
            os.kill(killed, signal.SIGKILL)
            wait_until("the killed process is gone", partial(has_ended, killed))
            wait_until("its death is logged", partial(is_logged_as_dead, several, killed))
        wait_until("both processes accept connections", lambda: both_accept(several), pause=0.1)
        children = children_of(several.process.pid)
        status, printed = several.stop(signal.SIGTERM)
        assert (status, printed) == (0, "")
    assert not postgres_runs(ended_server.data)
    wait_until("all processes have ended", lambda: all(has_ended(child) for child in children))


def test_connections_of_a_killed_process_do_not_wait_for_its_successor(ended_server: Server) -> None:
    keys = {"TESSERA_TOKEN_KEYS": f"demo:{(ended_server.data / 'token.key').read_text()}"}
    with running_server("api", "--embedded", data=ended_server.data, TESSERA_PROCESSES="2", **keys) as several:
        wait_until("both processes accept connections", lambda: both_accept(several), pause=0.1)
        before = set(serving_children(several.process.pid))
        os.kill(min(before), signal.SIGKILL)
        wait_until("it has a successor", lambda: bool(set(serving_children(several.process.pid)) - before))
        (successor,) = set(serving_children(several.process.pid)) - before
        os.kill(successor, signal.SIGSTOP)  # it has not loaded the application
        for _ in range(16):  # half of them are for the listener of the killed process
            assert answers(f"{several.url}/health/live")
        os.kill(successor, signal.SIGCONT)
        wait_until("both processes accept connections", lambda: both_accept(several), pause=0.1)


def test_an_idle_worker_ends_at_once(ended_server: Server) -> None:
    started, port = datetime.now(UTC), free_port()
    settings = {"TESSERA_DATA_DIR": str(ended_server.data), "TESSERA_WORKER_PORT": str(port)}
    with running_command("worker", "--embedded", **settings) as worker:
        wait_until("the worker has started", lambda: has_worker(ended_server.data, since=started))
        wait_until("the worker is ready", lambda: answers(f"http://127.0.0.1:{port}/health/ready"))
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(2)
        worker.send_signal(signal.SIGTERM)
        assert (worker.wait(SECONDS_TO_END), re.findall("Traceback|error", worker.log)) == (0, [])
        database = next(line for line in map(json.loads, worker.log.splitlines()) if line["event"] == "database")
        served = (database["host"], database["port"], database["database"], database["role"])
        assert served == (f"{ended_server.data}/postgres", 5432, "tessera", "tessera_app")
    assert not postgres_runs(ended_server.data)
