"""Commands in a terminal: tables that fit, questions, and text that cannot control the terminal."""

import json

from tests.cli.conftest import Run
from tests.support.factories import Tenant


def test_a_table_fits_the_terminal_and_is_complete_elsewhere(run: Run, run_in_terminal: Run, tenant: Tenant) -> None:
    here = ("--organization", tenant.name)
    rights = ("--function-point", "PartnerManagePromoCodes", "--function-point", "PartnerManageVouchers")
    run("client", "create", *here, "--name", f"Shop {'x' * 90}", *rights)
    shown = run_in_terminal("client", "list", *here).stdout
    assert max(map(len, shown.splitlines())) <= 100
    upper, lower = shown.splitlines()[:2]
    assert (upper.split(), lower.split()) == (["CLIENT"], ["NAME", "ID"])
    assert f"Shop {'x' * 42}…  tsc_" in shown
    assert "Omitted for lack of space: revoked at, function points, id (--json prints everything)" in shown
    complete = run("client", "list", *here)
    heading, line = (complete.stdout.splitlines()[index] for index in (0, 1))
    assert heading.split("  ")[0] == "NAME"
    assert f"Shop {'x' * 90}  tsc_" in line
    assert "PartnerManagePromoCodes, PartnerManageVouchers" in line
    assert complete.stderr == ""


def test_what_is_permanent_is_asked_first(run: Run, run_in_terminal: Run, tenant: Tenant) -> None:
    command = ("promo-code", "archive", "SPRING", "--organization", tenant.name)
    run("promo-code", "create", "SPRING", "--percent", "10", "--organization", tenant.name)
    refused = run(*command)
    assert (refused.returncode, refused.stderr) == (
        1,
        "tessera: Archive the promo code SPRING permanently? Add --yes to confirm, because there is no terminal to ask"
        " in.\n",
    )
    kept = run_in_terminal(*command, typed="n\n")
    assert (kept.returncode, "Archive the promo code SPRING permanently? [y/N]" in kept.stdout) == (1, True)
    shown = ("promo-code", "show", "SPRING", "--organization", tenant.name, "--json")
    assert json.loads(run(*shown).stdout)["status"] == "Inactive"
    assert run_in_terminal(*command, typed="y\n").returncode == 0
    assert json.loads(run(*shown).stdout)["status"] == "Archived"


def test_text_of_others_does_not_control_the_terminal(run: Run, tenant: Tenant) -> None:
    here = ("--organization", tenant.name)
    notes = "\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}Kr\xfcger\n"
    created = run("promo-code", "create", "SPRING", "--percent", "10", "--notes", notes, *here)
    assert "  \\u001b[2J\\u202eKr\xfcger\\u000a\n" in created.stdout
    unknown = run("partner", "show", "\x1b[2JNobody", *here)
    assert unknown.stderr == "tessera: There is no voucher partner \\u001b[2JNobody.\n"
