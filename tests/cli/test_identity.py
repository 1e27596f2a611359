"""Granting and revoking access on the command line, checked through the HTTP API."""

import json
import re
import uuid
from typing import Any

import httpx
import pytest
from tests.cli.conftest import Run
from tests.conftest import NOW, TOKEN_KEYS_SETTING
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import NewPartner
from tessera.vouchers.rules import Status

SHOWN_ONCE = "Keep the secret now: it will not be shown again.\n"
POINTS = (
    "PartnerManagePromoCodes, PartnerManageVouchers, PartnerAssignVouchers, StorefrontRedeem, StorefrontSupport,"
    " ManageOrganization, ManagePersons, SeeVoucherCodes"
)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOBODY = str(uuid.UUID(int=1))


def read(run: Run, *arguments: str, **settings: str) -> Any:
    """The result of a command with --json, which must be its whole output."""
    result = run(*arguments, "--json", **settings)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def failure(run: Run, *arguments: str, **settings: str) -> str:
    """The message of a command that fails."""
    result = run(*arguments, **settings)
    assert (result.returncode, result.stdout) == (1, "")
    return result.stderr


def test_an_organization_is_created_once_and_listed(run: Run) -> None:
    name = f"Exams {uuid.uuid4().hex}"
    created = run("organization", "create", name)
    assert created.returncode == 0
    assert re.fullmatch(rf"Created the organization {name}\.\n  name  {name}\n  id    {UUID.pattern}\n", created.stdout)
    assert failure(run, "organization", "create", name.upper()) == f"tessera: NAME is taken: {name.upper()}\n"
    listed = [each for each in read(run, "organization", "list") if each["name"] == name]
    shown = {"id": UUID.findall(created.stdout)[0], "name": name, "isActive": True, "frozenAt": None}
    assert listed == [shown]


async def test_a_user_calls_with_an_issued_token_until_it_is_revoked(
    run: Run, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    organization = ("--organization", tenant.name.upper())
    address = ("--email", "grace@example.com")
    names = ("--first-name", "Grace", "--last-name", "Hopper", "--function-point", "PartnerManagePromoCodes")
    user = read(run, "user", "create", *organization, *address, *names)
    assert user == {"id": user["id"], "email": "grace@example.com"}

    issued = run("token", "issue", *organization, *address, "--json", **TOKEN_KEYS_SETTING)
    token = json.loads(issued.stdout)
    assert (issued.stderr, sorted(token)) == (SHOWN_ONCE, ["email", "expiresAt", "id", "token"])
    headers = {"Authorization": f"Bearer {token['token']}"}
    assert (await client.get("/promo-codes", headers=headers)).status_code == 200

    read(run, "token", "revoke", *organization, token["id"], "--yes")
    assert (await client.get("/promo-codes", headers=headers)).status_code == 401
    again = failure(run, "token", "revoke", *organization, token["id"], "--yes")
    assert again == "tessera: There is no such token, or it is revoked.\n"


async def test_a_partners_user_sees_only_that_partner(
    run: Run, client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        both = [NewPartner(new_id(), name, Status.ACTIVE) for name in ("Acme Corp", "Globex Training")]
        await partners.add_all(work, both, now=NOW)
    organization = ("--organization", tenant.name)
    address = ("--email", "buyer@example.com")
    names = ("--first-name", "Bea", "--last-name", "Buyer", "--function-point", "PartnerManageVouchers")
    unknown = failure(run, "user", "create", *organization, *address, *names, "--partner", "Nobody")
    assert unknown == "tessera: There is no voucher partner Nobody.\n"

    read(run, "user", "create", *organization, *address, *names, "--partner", str(both[0].id))
    issued = run("token", "issue", *organization, *address, "--json", **TOKEN_KEYS_SETTING)
    headers = {"Authorization": f"Bearer {json.loads(issued.stdout)['token']}"}
    seen = (await client.get("/api/vouchers/partners", headers=headers)).json()["data"]
    assert [partner["name"] for partner in seen] == ["Acme Corp"]


async def test_deactivating_a_user_ends_its_tokens(run: Run, client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 200
    result = run("user", "deactivate", "--organization", str(tenant.id), "--email", tenant.user_email.upper(), "--yes")
    assert (result.returncode, result.stderr) == (0, "")
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 401


async def test_a_client_authenticates_until_it_is_revoked(run: Run, client: httpx.AsyncClient, tenant: Tenant) -> None:
    organization = ("--organization", tenant.name)
    result = read(run, "client", "create", *organization, "--name", "Shop", "--function-point", "StorefrontRedeem")
    assert sorted(result) == ["clientId", "clientSecret", "id", "name"]
    basic = httpx.BasicAuth(result["clientId"], result["clientSecret"])
    assert (await client.get("/authenticate", auth=basic)).status_code == 200
    assert read(run, "client", "revoke", *organization, "shop", "--yes")["id"] == result["id"]
    assert (await client.get("/authenticate", auth=basic)).status_code == 401


async def test_a_key_is_shown_once_rotated_with_an_overlap_and_revoked(
    run: Run, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    organization = ("--organization", tenant.name)

    async def status(key: str) -> int:
        return (await client.get("/api/v1/promo-codes?code=X", headers={"cv-api-key": key})).status_code

    created = run("key", "create", *organization, "--name", "Till")
    assert created.stderr == SHOWN_ONCE
    old_id = UUID.findall(created.stdout)[0]
    old = str(re.search(r"api key +(\S+)", created.stdout)[1])  # type: ignore[index]
    new = read(run, "key", "rotate", *organization, "till", "--yes")
    assert new == {"id": new["id"], "name": "Till", "apiKey": new["apiKey"], "replaces": old_id}
    assert [await status(old), await status(new["apiKey"])] == [404, 404]

    several = failure(run, "key", "revoke", *organization, "Till", "--yes")
    assert several == f"tessera: Several keys are named Till; choose an id: {old_id}, {new['id']}.\n"
    assert read(run, "key", "revoke", *organization, old_id, "--yes")["id"] == old_id
    assert [await status(old), await status(new["apiKey"])] == [401, 404]
    listed = run("key", "list", *organization)
    assert old not in listed.stdout
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["NAME", "Till", "Till", "Key"]


def test_every_violation_is_a_line_of_its_own(run: Run, tenant: Tenant) -> None:
    user = ("user", "create", "--organization", tenant.name, "--email", "nobody", "--first-name", " ")
    assert failure(run, *user, "--last-name", "B", "--function-point", "StorefrontRedeem") == (
        "tessera: --email is not a valid e-mail address: nobody\ntessera: --first-name must not be blank\n"
    )
    fault = f"tessera: --function-point must be one of {POINTS}"
    points = ("--function-point", "Fly", "--function-point", "Swim")
    assert failure(run, *user, "--last-name", "B", *points) == f"{fault}: Fly\n{fault}: Swim\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["key", "list", "--organization", "No such"], "There is no organization No such."),
        (["key", "revoke", "--organization", "{tenant}", "x", "--yes"], "There is no key x."),
        (
            ["key", "revoke", "--organization", "{tenant}", "x"],
            "Revoke the key x permanently? Add --yes to confirm, because there is no terminal to ask in.",
        ),
        (["client", "revoke", "--organization", "{tenant}", NOBODY, "--yes"], "There is no such client."),
        (
            ["user", "deactivate", "--organization", "{tenant}", "--email", "a@b.example", "--yes"],
            "There is no user a@b.example.",
        ),
        (
            ["token", "issue", "--organization", "{tenant}", "--email", "ada@example.com"],
            "TESSERA_TOKEN_KEYS is not set: set it to kid:secret, such as 1:$(openssl rand -hex 32)",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, tenant: Tenant, arguments: list[str], line: str) -> None:
    assert failure(run, *(each.format(tenant=tenant.name) for each in arguments)) == f"tessera: {line}\n"


def test_the_organization_may_come_from_the_settings(run: Run, tenant: Tenant) -> None:
    keys = [key["name"] for key in read(run, "key", "list", TESSERA_ORGANIZATION=tenant.name.upper())]
    assert keys == ["Key"]
    other = failure(run, "key", "list", "--organization", "No such", TESSERA_ORGANIZATION=tenant.name)
    assert other == "tessera: There is no organization No such.\n"


def test_a_command_that_lacks_something_shows_its_usage(run: Run) -> None:
    result = run("client", "create", "--name", "Shop")
    assert (result.returncode, result.stdout) == (2, "")
    assert "Missing option '--function-point'" in result.stderr


async def test_the_platform_is_created_with_an_administrator(run: Run, client: httpx.AsyncClient) -> None:
    address = f"{uuid.uuid4()}@example.com"
    names = ("--first-name", "Pia", "--last-name", "Form")
    result = read(run, "platform", "create", "--email", address, *names, **TOKEN_KEYS_SETTING)
    assert sorted(result) == ["email", "expiresAt", "organizationId", "token"]
    headers = {"Authorization": f"Bearer {result['token']}"}
    assert (await client.get("/management/v1/organizations", headers=headers)).status_code == 200


async def test_an_organization_is_renamed_and_switched_off_and_on(
    run: Run, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    name = f"Renamed {uuid.uuid4()}"
    assert read(run, "organization", "rename", "--organization", tenant.name, name)["name"] == name
    read(run, "organization", "deactivate", "--organization", name, "--yes")
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 401
    read(run, "organization", "activate", "--organization", name)
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 200


async def test_what_was_given_is_listed_and_changed(run: Run, client: httpx.AsyncClient, tenant: Tenant) -> None:
    organization = ("--organization", tenant.name)
    address = ("--email", tenant.user_email)
    names = ("--first-name", "Ada", "--last-name", "Lovelace", "--function-point", "StorefrontRedeem")
    read(run, "user", "update", *organization, *address, *names)
    read(run, "user", "deactivate", *organization, *address, "--yes")
    read(run, "user", "activate", *organization, *address)
    users = read(run, "user", "list", *organization)
    assert [(user["lastName"], user["functionPoints"]) for user in users] == [("Lovelace", ["StorefrontRedeem"])]
    clients = {each["name"]: each for each in read(run, "client", "list", *organization)}
    assert sorted(clients) == ["Client", "Powerless"]
    rotated = read(run, "client", "rotate", *organization, "CLIENT", "--yes")
    assert rotated["clientId"] == clients["Client"]["clientId"] == tenant.client.name
    auth = httpx.BasicAuth(rotated["clientId"], rotated["clientSecret"])
    assert (await client.get("/authenticate", auth=auth)).status_code == 200
    assert [each["id"] for each in read(run, "token", "list", *organization)] == [str(tenant.token.id)]
