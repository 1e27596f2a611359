"""What breaks under Patroni: a planned switch-over, and a primary that is killed or frozen."""

import os
import signal
import time
from collections.abc import Sequence

from tests.drills.counting import wait_for_writes
from tests.drills.drill import Drill
from tests.drills.installation import Installation
from tests.drills.patroni import Cluster
from tests.support.freezing import frozen, stopped

SECONDS_OF_SILENCE = 18.0


def drills(cluster: Cluster, name: str, *, all_of_them: bool) -> Sequence[Drill]:
    """The drills of one cluster; each waits until the cluster is whole before it breaks it."""

    def switch_over(_: Installation) -> float:
        return wait_for_writes(cluster.switch_over().owner)

    def kill_machine(_: Installation) -> float:
        primary, standby = cluster.primary_and_standby()
        primary.kill()
        since = wait_for_writes(standby.owner)
        primary.start()
        return since

    def kill_postgres(installation: Installation) -> float:
        primary, _ = cluster.primary_and_standby()
        os.kill(primary.pids()[1], signal.SIGKILL)
        return wait_for_writes(installation.owner)

    def freeze_postgres(installation: Installation) -> float:
        primary, _ = cluster.primary_and_standby()
        with frozen(primary.data):
            time.sleep(SECONDS_OF_SILENCE)
        return wait_for_writes(installation.owner)

    def freeze_machine(_: Installation) -> float:
        primary, standby = cluster.primary_and_standby()
        with stopped(primary.pids()):
            since = wait_for_writes(standby.owner)
            time.sleep(SECONDS_OF_SILENCE)
            if not primary.flavour.may_thaw:
                primary.kill()
        if not primary.flavour.may_thaw:
            primary.start()
        return since

    some = {
        "switch-over": switch_over,
        "kill -9 of the primary": kill_machine,
        "SIGSTOP of the primary": freeze_machine,
    }
    rest = {"kill -9 of its Postgres": kill_postgres, "SIGSTOP of its Postgres": freeze_postgres}
    return [
        Drill(f"{name}: {text}", act, settle=cluster.primary_and_standby)
        for text, act in (some | rest if all_of_them else some).items()
    ]
