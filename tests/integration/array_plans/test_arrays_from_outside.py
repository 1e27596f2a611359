"""Each statement that takes an array from outside reads the rows that it names, and a plan test says so."""

import ast
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import MODES, rows_touched, vacuum, with_replaced_rows
from tests.support.recording import record_statements

import tessera
from tessera.api.certiverse_vouchers import presenters
from tessera.api.serving.resources import Resources
from tessera.catalog.product_bundles.repository import ProductBundleRepository
from tessera.catalog.repository import CatalogRepository
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.compiled_queries import run
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.promo_codes.shares.repository import ShareRepository
from tessera.provision import Addresses
from tessera.vouchers.issued.repository import NewVoucher, VoucherRepository
from tessera.vouchers.partners.repository import PartnerRepository
from tessera.vouchers.programs.repository import ProgramRepository

ROWS, RELATED = 100_000, 40_000
# Row N of each table has the same id, and each program has one row of each relation.
FILL = """
with numbered as (
    select n, md5(%(tenant)s::text || n)::uuid as id from generate_series(1, %(rows)s) n
), exams as (
    insert into store_exams (organization_id, id, code, name, price, status, created_at, version)
    select %(tenant)s, id, 'E' || n, '', 1, 'Active', %(now)s, 1 from numbered
), bundles as (
    insert into product_bundles (organization_id, id, name, price, status, created_at, version)
    select %(tenant)s, id, '', 1, 'Active', %(now)s, 1 from numbered
), partners as (
    insert into voucher_partners (organization_id, id, name, status, created_at, version)
    select %(tenant)s, id, 'P' || n, 'Active', %(now)s, 1 from numbered
), users as (
    insert into users (organization_id, id, email, first_name, last_name, function_points, is_active, created_at,
        partner_id, version)
    select %(tenant)s, id, 'u' || n || '@example.com', '', '', '{}', true, %(now)s, id, 1
    from numbered where n <= %(related)s
), program_exams as (
    insert into voucher_program_store_exams (organization_id, program_id, store_exam_id, position)
    select %(tenant)s, id, id, 0 from numbered where n <= %(related)s
), program_partners as (
    insert into voucher_program_partners (organization_id, program_id, partner_id)
    select %(tenant)s, id, id from numbered where n <= %(related)s
), program_discounts as (
    insert into voucher_program_discounts (organization_id, program_id, id, quantity, percent)
    select %(tenant)s, id, id, 1, 1 from numbered where n <= %(related)s
), program_domains as (
    insert into voucher_program_email_domains (organization_id, program_id, id, domain)
    select %(tenant)s, id, id, 'example.com' from numbered where n <= %(related)s
), purchases as (
    insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity, quantity_used,
        amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name, purchased_by_email,
        purchased_at, amount, version)
    select %(tenant)s, id, id, id, 'VP', 'Complete', 1, 0, 0, '', false, '', '', '', %(now)s, 0, 1
    from numbered where n = 7
), codes as (
    insert into promo_codes (organization_id, id, name, status, discount_percent, max_redemptions_per_organization,
        redemption_count, held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at,
        version)
    select owner, id, 'CODE' || n, 'Active', 10, case owner when %(platform)s then 5 end, 0, 0, false, false, false,
           %(now)s, 1
    from numbered cross join (values (%(platform)s), (%(tenant)s)) owners (owner) where n <= %(related)s
)
insert into promo_code_shares (organization_id, promo_code_id, used_by, redemption_count, held_count)
select %(platform)s, id, %(tenant)s, 1, 1 from numbered where n <= %(related)s
"""
TABLES = (
    "store_exams",
    "product_bundles",
    "voucher_partners",
    "users",
    "voucher_program_store_exams",
    "voucher_program_partners",
    "voucher_program_discounts",
    "voucher_program_email_domains",
    "promo_codes",
    "promo_code_shares",
    "voucher_purchases",
)


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 100,000 exams, bundles and partners, and 40,000 of others."""
    tenant = await create_tenant(resources, now=NOW)
    values = {"tenant": tenant.id, "platform": PLATFORM_ID, "now": NOW, "rows": ROWS, "related": RELATED}
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        superuser.execute(FILL, values)
        vacuum(superuser, *TABLES)
    return tenant


@pytest.fixture(scope="module")
def application(addresses: Addresses) -> Iterator[psycopg.Connection[Any]]:
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app", prepare_threshold=None) as connection:
        yield connection


async def find_exams(work: UnitOfWork, codes: Sequence[str], _: Sequence[UUID]) -> None:
    await CatalogRepository(work).find_store_exams(codes)
    await CatalogRepository(work).find_store_exam_products(codes)
    await run(work.connection, CatalogRepository(work).finding_products(codes=codes, bundle_ids=()))
    await ProductBundleRepository(work).find_exams(codes)


async def find_bundles(work: UnitOfWork, _: Sequence[str], ids: Sequence[UUID]) -> None:
    await run(work.connection, CatalogRepository(work).finding_products(codes=(), bundle_ids=ids))
    await CatalogRepository(work).find_product_bundle_ids(ids)


async def find_partners(work: UnitOfWork, _: Sequence[str], ids: Sequence[UUID]) -> None:
    await PartnerRepository(work).find_ids(ids)
    await PartnerRepository(work).list_users(ids, projection=presenters.USER)


async def list_relations(work: UnitOfWork, _: Sequence[str], ids: Sequence[UUID]) -> None:
    programs = ProgramRepository(work)
    await programs.list_discounts(ids)
    await programs.list_email_domains(ids)
    await programs.list_assigned_partners(ids)
    await programs.list_store_exams(ids)


async def find_shares(work: UnitOfWork, _: Sequence[str], ids: Sequence[UUID]) -> None:
    await ShareRepository(work).find_own(ids, as_of=NOW)


async def add_vouchers(work: UnitOfWork, codes: Sequence[str], ids: Sequence[UUID]) -> None:
    new = [NewVoucher(id=new_id(), purchase_id=ids[0], partner_id=ids[0], code=code, expires_at=NOW) for code in codes]
    await VoucherRepository(work).add_untaken(new)


Look = Callable[[UnitOfWork, Sequence[str], Sequence[UUID]], Awaitable[None]]


@pytest.mark.parametrize("count", [1, 2, 50, 1_000])
@pytest.mark.parametrize(
    ("look_up", "tables"),
    [(find_exams, 1), (find_bundles, 1), (find_partners, 1), (list_relations, 2), (find_shares, 4), (add_vouchers, 8)],
)
async def test_a_look_up_by_an_array_reads_the_rows_that_it_names(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant, look_up: Look, tables: int, count: int
) -> None:
    numbers = range(7, 7 * count + 1, 7)
    ids = [UUID(md5(f"{big.id}{number}".encode()).hexdigest()) for number in numbers]
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            await look_up(work, [f"E{number}" for number in numbers], ids)
    begin, *statements = sent
    for statement in statements:
        for mode in MODES:
            touched = rows_touched(application, begin, statement, mode=mode)
            assert (mode, touched) <= (mode, with_replaced_rows(tables * count)), statement.text


# The functions of repositories with an array whose plan no test here or in `plans` asks for by name, and why.
WITHOUT_A_TEST_BY_NAME = {
    "audit/repository.py": {
        "_values": "values of new rows",
        "addition": "the statement with these values",
        "_entries": "values of the entries of a page by primary key",
    },
    "audit/seals/repository.py": {
        "_seal_values": "entries by primary key, which the statement before has found",
        "_values": "values of these entries by primary key",
        "list_under_first_rule": "entries by primary key, of an erasure",
    },
    "idempotency/repository.py": {"try_lock": "takes advisory locks and reads no table"},
    "identity/authentication/repository.py": {"find_callers": "a loop that looks up one credential at a time"},
    "identity/keys/repository.py": {"set_last_used": "keys by primary key, which this process has seen"},
    "persons/erasures/audit_values/repository.py": dict.fromkeys(
        ("erase",), "an erasure, which searches all records of its organization once"
    ),
    "persons/erasures/repository.py": dict.fromkeys(
        (
            "_condition",
            "_erase_metadata",
            "_raise_versions_of_codes",
            "add_erasures",
            "count_kept",
            "find_digested",
            "_mentions",
            "list_held_reservations",
        ),
        "an erasure, which searches all records of its organization once",
    ),
    "persons/repository.py": {
        "list_records": "test_redemptions.py and test_vouchers.py ask for an export",
        "_texts": "values of that statement",
    },
    "promo_codes/lists/repository.py": {"_matching": "the statuses, which are four constants"},
    "promo_codes/restrictions/repository.py": {
        "store_exam_codes": "a result, of the codes that the statement lists",
        "email_addresses": "a result, of the codes that the statement lists",
    },
    "promo_codes/uses/repository.py": {
        "recount": "the array has one code, all of whose uses are counted",
        "lock_for_each": "the statement of `locking`",
        "count_uses_for_each": "the statement of `counting`",
        "_count_values": "the statement of `counting`",
    },
    "record_metadata/repository.py": {"_find_all": "test_record_metadata.py asks for the list that it is part of"},
    "redemptions/ledger/repository.py": {"list_discrepancies": "a recount of all codes of the organization"},
    "redemptions/repository.py": {"_live_by_code": "the statement of `finding_live`"},
    "redemptions/expiry/repository.py": {
        "find_lapsed": "looks up one redemption at a time by primary key",
        "expire": "redemptions by primary key, which are locked",
    },
    "transfers/deletions/repository.py": {"list_deletable": "the tables of the schema"},
    "vouchers/issued/uses/repository.py": {"try_lock_for_each": "vouchers by primary key"},
    "vouchers/purchases/checkout/repository.py": {"expire": "purchases by primary key, which are locked"},
    "vouchers/programs/repository.py": {"_visible": "a subquery of the programs of one partner"},
}
ARRAYS = {"any_", "in_", "ARRAY", "Texts", "Uuids", "Binaries"}
IN_SQL = re.compile(r"\b(any|unnest)\s*\(\s*%|%(\(\w+\))?s::\w+\[\]|json_to_recordset")
SOURCES = Path(tessera.__file__).parent


def arrays_of(path: Path) -> Iterator[str]:
    """The functions of a repository that send an array, or SQL that takes one."""
    module = ast.parse(path.read_text())
    constants = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign) and IN_SQL.search(ast.unparse(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            _is_array(node, constants) for node in ast.walk(function)
        ):
            yield function.name


def _is_array(node: ast.AST, constants: set[str]) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="in_"), args=[ast.List()]):
            return False  # of constants
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name in ARRAYS
        case ast.Name(id=name):
            return name in constants
        case ast.Constant(value=str(text)):
            return IN_SQL.search(text) is not None
    return False


def test_every_statement_with_an_array_has_a_plan_test_or_a_reason() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parents[1].glob("*plans/test_*.py"))
    untested = {
        (str(path.relative_to(SOURCES)), name)
        for path in SOURCES.rglob("*repository.py")
        for name in arrays_of(path)
        if not re.search(rf"\b{name}\(", tests)
    }
    reasons = {(path, name) for path, names in WITHOUT_A_TEST_BY_NAME.items() for name in names}
    assert untested == reasons
