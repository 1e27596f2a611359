"""The guard of a test run: what a killed run leaves running is ended, and its directories are removed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support import guard
from tests.support.commands import SECONDS_TO_END, postgres_runs, read_line
from tests.support.waiting import wait_until

# Has a guard, starts a Postgres and a command, and waits to be killed.
RUN = """
import os, subprocess, sys
from pathlib import Path
from tests.support import guard
from tessera.kit.embedded_postgres import server
running = guard.start()
server.start(Path(os.environ["TMPDIR"], "data"), settings={"fsync": "off"})
subprocess.Popen(["sleep", "600"], stdout=sys.stderr)
print(os.environ["TMPDIR"], os.environ[guard.MARK], flush=True)
sys.stdin.read()
"""


def test_nothing_outlives_a_run_that_is_killed() -> None:
    root = Path(guard.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (root, root / "src")))}
    command = [sys.executable, "-c", RUN]
    pipe = subprocess.PIPE
    run = subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
    directories = [Path(directory) for directory in read_line(run).split()]
    assert postgres_runs(directories[0] / "data")
    run.kill()
    _, errors = run.communicate(timeout=SECONDS_TO_END)  # which ends when the other command has ended
    assert errors == ""
    wait_until("the directories are removed", lambda: not any(directory.exists() for directory in directories))
    assert not postgres_runs(directories[0] / "data")
