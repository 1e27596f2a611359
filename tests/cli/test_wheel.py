"""The wheel: in an environment and a directory with nothing else, it migrates, serves with demo data, and works."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.support.commands import answers, environment, free_port
from tests.support.waiting import wait_until

from tessera import __version__, schema

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture
def installed(place: Path) -> Path:
    """The command `tessera` of a wheel that is installed with the locked dependencies and nothing else."""
    python = place / "environment" / "bin" / "python"
    uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", place, ROOT)
    uv("venv", "--python", sys.executable, place / "environment")
    uv("pip", "install", "--python", python, "--require-hashes", "-r", ROOT / "requirements.lock")
    uv("pip", "install", "--python", python, "--no-deps", *place.glob("*.whl"))
    return python.with_name("tessera")


def uv(*arguments: str | Path) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True, timeout=120)


@contextmanager
def running(command: Path, *arguments: str, cwd: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs until the block ends, and exits with status 0 after SIGTERM."""
    with subprocess.Popen([command, *arguments], cwd=cwd, env=environment(settings)) as process:
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def count_workers(data: Path) -> int:
    socket_directory = (data / "postgres" / "postmaster.pid").read_text().splitlines()[4]
    with psycopg.connect(host=socket_directory, port=5432, user="postgres", dbname="tessera") as connection:
        (count,) = connection.execute("select count(*) from procrastinate_workers").fetchone() or (0,)
    return int(count)


@pytest.mark.timeout(600)  # builds a wheel and installs every dependency, perhaps over a slow network
def test_a_wheel_migrates_serves_and_works_in_an_empty_directory(installed: Path, place: Path) -> None:
    directory = place / "empty"
    directory.mkdir()
    migrated = subprocess.run(
        [installed, "migrate", "--embedded"],
        cwd=directory,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert migrated.stdout == f"The database is at revision {schema.latest_revision()}.\n"
    # `uvx FILE.whl` runs the command that has the name of the distribution.
    same_command = subprocess.run(
        [installed.with_name("tessera-vouchers"), "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert same_command.stdout == f"tessera {__version__}\n"
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running(installed, "serve", "--demo", cwd=directory, PORT=str(port)) as server:
        wait_until("it is ready", lambda: server.poll() is not None or answers(f"{url}/health/ready"))
        for path in ("/docs", "/guide/", "/demo/storefront", "/demo/storefront/page.js", "/demo/storefront/page.css"):
            assert (path, httpx.get(url + path, timeout=90).status_code) == (path, 200)
        with running(installed, "worker", "--embedded", cwd=directory):
            wait_until("two workers run", lambda: count_workers(directory / ".tessera") == 2)
