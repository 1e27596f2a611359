"""Two installations of Tessera on one database: the last release, and this checkout."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
# The tag of the last release, and its commit, which copies without tags have as well; each release changes both.
RELEASE = "v0.1.0"
COMMIT = "32a4bfcc21cb378b9aaba3d9c059a91bb1eb2a7d"
START_SECONDS = 120
END_SECONDS = 60


@dataclass(frozen=True)
class Installation:
    """The code of one version, its Python environment, and the settings of its processes."""

    name: str
    source: Path
    python: Path
    settings: Mapping[str, str]

    def run(self, *command: str) -> str:
        """Run a command to its end; returns its standard output."""
        return subprocess.run(
            self._arguments(*command),
            env=self._environment(),
            cwd=self.source,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def start(self, *command: str, log: Path, port: int = 0) -> "Process":
        """Start a process that appends its log to this file."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                self._arguments(*command),
                env={**self._environment(), "TESSERA_PORT": str(port)},
                cwd=self.source,
                stdout=output,
                stderr=output,
            )
        return Process(f"http://127.0.0.1:{port}", process, log)

    def _arguments(self, *command: str) -> list[str]:
        return [str(self.python), "-c", "from tessera.cli import run; run()", *command]

    def _environment(self) -> Mapping[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
        return {**inherited, "PYTHONPATH": str(self.source / "src"), **self.settings}


@dataclass(frozen=True)
class Process:
    """A running process of an installation."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_ready(self) -> None:
        """Wait until the process is ready; raises RuntimeError if it does not."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{self.url}/health/ready", timeout=10).raise_for_status()
            except httpx.HTTPError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{self.url} does not start: {self.log.read_text()[-2000:]}") from None
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Ask the process to end, and wait for it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise


def this_checkout(settings: Mapping[str, str]) -> Installation:
    """The code beside this file, in the environment that runs it."""
    return Installation("today", ROOT, Path(sys.executable), settings)


def last_release(directory: Path, settings: Mapping[str, str]) -> Installation:
    """The last release with its own locked dependencies, installed in a directory."""
    archive = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive, check=True)
    uv, python = str(Path(sys.executable).with_name("uv")), directory / ".venv/bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(directory / ".venv")], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", "requirements.lock"]
    subprocess.run(install, cwd=directory, check=True)
    return Installation(RELEASE, directory, python, settings)


@contextmanager
def stopping(processes: list[Process]) -> Iterator[None]:
    """Stop the processes of the list at the end, also those that were added later."""
    try:
        yield
    finally:
        for process in processes:
            process.stop()
