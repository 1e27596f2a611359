"""Query plans of the lists and exports of promo codes in the management API, on any page."""

from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.integration.plans.conftest import BESIDE
from tests.support.factories import Tenant
from tests.support.plans import (
    MODES,
    blocks_for,
    buffers_read,
    explain,
    plan_nodes,
    rows_read,
    rows_touched,
    with_replaced_rows,
)
from tests.support.recording import record_statements
from tests.support.voucher_factories import add_partner, add_program, add_purchase

from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.promo_codes.campaigns.repository import CampaignRepository
from tessera.promo_codes.management import service
from tessera.promo_codes.management.repository import ManagedPromoCodeRepository
from tessera.promo_codes.management.service import ManagedFilter
from tessera.promo_codes.rules import Status
from tessera.promo_codes.texts.repository import TextRepository
from tessera.record_metadata.rules import KeyAndText
from tessera.vouchers.issued.repository import NewVoucher, VoucherRepository

# The rows that a page of a hundred may read: each code with its exams, and one more for the next page.
PAGE = 1_000
FILTERS = [
    ("", 100, PAGE),
    ("status=Active", 100, PAGE),
    ("status=Archived", 100, PAGE),
    ("kind=Percent", 100, PAGE),
    ("kind=Flat", 0, 0),
    ("kind=Percent&status=Archived", 100, PAGE),
    ("kind=Flat&status=Active", 0, 0),
    ("name=code777", 1, 10),
    ("storeExamCode=NCA-GENL", 100, PAGE),
    ("storeExamCode=ncp-ads", 100, PAGE),
    ("storeExamCode=CLD-100&status=Archived", 0, 3 * 2_000),
    ("productBundleId=00000000-0000-0000-0000-000000000007", 0, 0),
    ("batchId=00000000-0000-0000-0000-000000000007", 0, 0),
    ("campaign=few", 100, PAGE),
    ("campaign=MANY", 100, PAGE),
    ("campaign=None", 0, 0),
    ("campaign=few&status=Inactive", 0, 2 * 200),
    ("campaign=many&storeExamCode=NCA-GENL&order=newest", 100, 4 * PAGE),
    ("search=code77&campaign=many", 100, 3 * 1_111 + PAGE),
    ("metadata=channel=few", 100, PAGE),
    ("metadata=channel=many", 100, PAGE),
    ("metadata=channel=none", 0, 0),
    ("metadata=none=many", 0, 0),
    ("metadata=channel=many&order=newest&status=Active", 100, 2 * PAGE),
    ("metadata=channel=few&status=Archived", 0, 2 * 200),
    ("metadata=channel=few&storeExamCode=NCA-GENL", 100, PAGE),
    ("search=code77&metadata=channel=few", 1, 3 * 1_111 + PAGE),
    ("order=newest", 100, PAGE),
    ("order=newest&status=Archived", 100, PAGE),
    ("order=newest&storeExamCode=ncp-ads", 100, PAGE),
    ("search=code", 100, PAGE),
    ("search=Code199", 100, PAGE),
    ("search=none", 0, 0),
    # Of the 1,111 codes, each is read twice in the index, and once in the list of matches.
    ("search=code77&order=newest", 100, 3 * 1_111 + PAGE),
    ("search=code77&status=Archived", 12, 3 * 1_111 + PAGE),
    ("search=code77&storeExamCode=CLD-100", 11, 4 * 1_111 + PAGE),
]


@pytest.mark.parametrize("case", FILTERS)
async def test_a_part_of_a_list_reads_little_more_than_it_shows(
    client: httpx.AsyncClient,
    resources: Resources,
    application: psycopg.Connection[Any],
    big: Tenant,
    case: tuple[str, int, int],
) -> None:
    query, result, bound = case
    link: str | None = f"/management/v1/promo-codes?{query}"
    for _ in range(3):
        with record_statements(resources.database) as sent:
            answer = await client.get(str(link), headers=big.bearer)
        assert len(answer.json()["data"]) == result
        begin, page = sent[1], sent[-1]
        for mode in MODES:
            plan = explain(application, begin, page, mode=mode)
            assert [part for part in plan_nodes(plan) if "Seq Scan" in part["Node Type"]] == []
            assert (mode, rows_read(plan)) <= (mode, bound)
            assert (mode, buffers_read(plan)) <= (mode, blocks_for(bound))
        link = answer.json()["nextLink"]
        if link is None:
            return


async def test_a_search_of_over_10_000_codes_in_another_order_is_refused(
    client: httpx.AsyncClient, big: Tenant
) -> None:
    answer = await client.get("/management/v1/promo-codes?search=code1&order=newest", headers=big.bearer)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:tessera:problem:too-many-results")


async def test_a_step_of_a_campaigns_deactivation_reads_only_its_codes(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            ids = await CampaignRepository(work).deactivate_next("many", after=UUID(int=0), size=500)
            await work.connection.rollback()
    assert len(ids) == 500
    for mode in MODES:
        plan = explain(application, sent[0], sent[1], mode=mode)
        assert [part for part in plan_nodes(plan) if "Seq Scan" in part["Node Type"]] == []
        # Every second code of the campaign is active. Each is read and locked, and found by its id.
        assert (mode, rows_read(plan)) <= (mode, 5 * 500)


@pytest.mark.parametrize(
    "wanted",
    [
        ManagedFilter(),
        ManagedFilter(status=Status.ACTIVE),
        ManagedFilter(store_exam_code="NCA-GENL"),
        ManagedFilter(campaign="Many"),
        ManagedFilter(metadata=KeyAndText("channel", "many")),
    ],
)
async def test_a_part_of_an_export_reads_little_more_than_it_tells(
    resources: Resources,
    application: psycopg.Connection[Any],
    big: Tenant,
    wanted: ManagedFilter,
) -> None:
    after = None
    for _ in range(3):
        with record_statements(resources.database) as sent:
            async with resources.database.unit_of_work(big.id) as work:
                page = await service.list_with_addresses(work, filters=wanted, after=after)
        codes, after = page.items, page.cursor
        for mode in MODES:
            plan = explain(application, sent[0], sent[-1], mode=mode)
            # Each code with its exam; one in ten has two addresses.
            assert (mode, rows_read(plan)) <= (mode, 6 * len(codes))
    assert len(codes) == service.EXPORT_PAGE_SIZE < BESIDE


@pytest.mark.parametrize("prefix", ["CODE", "X"])
@pytest.mark.parametrize("count", [1, 2, 50, 1_000])
async def test_new_vouchers_are_compared_with_the_promo_codes_of_their_texts(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant, count: int, prefix: str
) -> None:
    partner = await add_partner(resources, big, f"Acme {prefix} {count}")
    program = await add_program(resources, big, f"Open {prefix} {count}")
    purchase = await add_purchase(resources, big, partner, program, f"VP-{prefix}-{count}")
    new = [
        NewVoucher(id=new_id(), purchase_id=purchase, partner_id=partner, code=f"{prefix}{7 * n}", expires_at=NOW)
        for n in range(1, count + 1)
    ]
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            added = await VoucherRepository(work).add_untaken(new)
            await TextRepository(work).find_clashes([each.code for each in new])
            await work.connection.rollback()
    assert len(added) == (0 if prefix == "CODE" else count)
    begin, *statements = sent
    for statement in statements:
        for mode in MODES:
            touched = rows_touched(application, begin, statement, mode=mode)
            assert (mode, touched) <= (mode, with_replaced_rows(8 * count)), statement.text


@pytest.mark.parametrize("count", [1, 2, 50, 1_000])
async def test_codes_to_change_are_found_by_their_names(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant, count: int
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            codes = ManagedPromoCodeRepository(work)
            names = [f"code{10 * n}" for n in range(1, count + 1)]
            assert list((await codes.count_addresses(names)).values()) == [2] * count
            assert len(await codes.find_all(names)) == count
    begin, *statements = sent
    for statement in statements:
        for mode in MODES:
            touched = rows_touched(application, begin, statement, mode=mode)
            assert (mode, touched) <= (mode, with_replaced_rows(2 * count)), statement.text
