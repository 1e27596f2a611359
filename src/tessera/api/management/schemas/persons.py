"""Response models of the export and the erasure of persons."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from tessera.api.management.serialization import From, Representation
from tessera.kit.wire import wire_fields


def _wire_records(records: Any) -> dict[str, Any]:  # noqa: ANN401 - records of any table
    return wire_fields({table: [wire_fields(row) for row in rows] for table, rows in records.items()})


class PersonExportModel(Representation):
    """All records about a person."""

    records: Annotated[dict[str, list[dict[str, Any]]], From(_wire_records)] = Field(
        description="The records by table; their fields are the columns of the table."
    )


class PersonErasureModel(Representation):
    """The result of an erasure."""

    erased_at: datetime = Field(description="The time of the erasure, in UTC.")
    changed: Annotated[dict[str, int], From(lambda erasure: wire_fields(erasure.changed))] = Field(
        description="The number of changed records, by table."
    )
    live_holds: int = Field(description="Holds that stay until they are confirmed by their ids, released or expire.")
    live_redemptions: int = Field(description="Redemptions that stay and count against limits, under a tombstone.")
    unused_vouchers: int = Field(description="Vouchers whose recipient was the person, which are assigned to nobody.")


ERASURE = {
    "erasedAt": "2026-01-01T00:00:00Z",
    "changed": {"promoCodes": 1, "redemptions": 1},
    "liveHolds": 0,
    "liveRedemptions": 1,
    "unusedVouchers": 0,
}
EXPORT = {
    "records": {
        "redemptions": [
            {
                "id": "01906a6e-0000-7000-8000-000000000007",
                "code": "WELCOME",
                "personId": "P-4711",
                "firstName": "Grace",
                "lastName": "Hopper",
                "email": "grace@example.com",
                "status": "Redeemed",
            }
        ]
    }
}
