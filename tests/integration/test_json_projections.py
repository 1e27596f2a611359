"""Rows as JSON, written by the database."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, Boolean, DateTime, Integer, Numeric, Subquery, Text, Uuid, literal, select
from sqlalchemy.types import TypeEngine
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.kit.db.json_projection import JsonProjection, Time, json_object

ID = UUID("01a21c8f-a022-7656-b795-1b77d47058ce")
FIELDS: dict[str, tuple[TypeEngine[Any], Any]] = {
    "id": (Uuid(), ID),
    "name": (Text(), 'a "quoted" \\ \n name'),
    "codes": (ARRAY(Text()), ["A", '"', "é"]),
    "nothing": (ARRAY(Text()), []),
    "count": (Integer(), -7),
    "yes": (Boolean(), True),
    "no": (Boolean(), False),
    "absent": (Text(), None),
    "at": (DateTime(timezone=True), datetime(2027, 6, 15, 23, 59, 59, 999_999, tzinfo=UTC)),
    "early": (DateTime(timezone=True), datetime(1, 1, 1, tzinfo=UTC)),
    "late": (DateTime(timezone=True), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    "money": (Numeric(), Decimal("1.50")),
}


def row() -> Subquery:
    return select(*(literal(value, type_).label(name) for name, (type_, value) in FIELDS.items())).subquery()


async def select_json(resources: Resources, tenant: Tenant, projection: JsonProjection, *, zone: str) -> Any:
    async with resources.database.unit_of_work(tenant.id) as work:
        await work.connection.exec_driver_sql(f"set local time zone '{zone}'")
        return json.loads((await work.connection.execute(select(json_object(row(), projection)))).scalar_one())


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
async def test_values_are_written_as_they_are_in_utc_and_what_is_null_is_absent(
    resources: Resources, tenant: Tenant, zone: str
) -> None:
    names = ("id", "name", "codes", "nothing", "count", "yes", "no", "absent")
    projection = JsonProjection(
        {
            **{name.upper(): name for name in names},
            "at": Time("at"),
            "bare": Time("at", zone=""),
            "early": Time("early"),
            "late": Time("late"),
            "inner": JsonProjection({"count": "count", "absent": "absent"}, only_if="yes"),
            "none": JsonProjection({"count": "count"}, only_if="no"),
        }
    )
    assert await select_json(resources, tenant, projection, zone=zone) == {
        "ID": str(ID),
        "NAME": 'a "quoted" \\ \n name',
        "CODES": ["A", '"', "é"],
        "NOTHING": [],
        "COUNT": -7,
        "YES": True,
        "NO": False,
        "at": "2027-06-15T23:59:59Z",
        "bare": "2027-06-15T23:59:59",
        "early": "0001-01-01T00:00:00Z",
        "late": "9999-12-31T23:59:59Z",
        "inner": {"count": -7},
    }


@pytest.mark.parametrize("name", ["at", "money"])
def test_what_cannot_be_written_is_refused_when_the_statement_is_made(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        json_object(row(), JsonProjection({"x": name}))
