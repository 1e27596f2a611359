"""A backup that is made and restored while writes go on."""

import time
from pathlib import Path
from random import Random

from sqlalchemy import make_url

from tests.drills import counting, drill
from tests.drills.drill import Goals, Row
from tests.drills.installation import Installation
from tests.drills.load import REDEMPTION, Load
from tests.support.commands import tessera

NAME = "backup and restore under load"
RESTORED = "restored"


def drill_backup(installation: Installation, directory: Path, seed: int) -> Row:
    """Back up under load, restore into another database, and count there what was acknowledged before the backup."""
    load = Load(installation.url, installation.parties, Random(f"{seed} {NAME}"), kinds=(REDEMPTION,))
    file = str(directory / "drill.backup")
    with load.flowing():
        time.sleep(drill.SECONDS_BEFORE)
        before, began = load.acknowledged, time.time()
        results = [tessera("backup", file, "--verify", **installation.settings)]
    with counting.opened(installation.owner) as connection:
        connection.execute(f"create database {RESTORED}")
    urls = ("TESSERA_DATABASE_URL", "TESSERA_OWNER_DATABASE_URL")
    restored = installation.settings | {name: _other_database(installation.settings[name]) for name in urls}
    results.append(tessera("restore", file, **restored))
    numbers = counting.count(_other_database(installation.owner), before, load.all_writes)
    return Row(
        name=NAME,
        acknowledged=len(before),
        present=numbers.present,
        doubled=numbers.doubled,
        errors=load.errors.total(),
        gap=load.gap(began),
        back=load.gap(began),
        worker=0,
        response=load.slowest,
        goals=Goals(),
        kinds_of_errors=drill.most_common(load.errors),
        flaws=(
            *(result.stderr for result in results if result.returncode),
            *counting.disagreements(installation.parties, restored),
        ),
    )


def _other_database(url: str) -> str:
    return make_url(url).set(database=RESTORED).render_as_string(hide_password=False)
