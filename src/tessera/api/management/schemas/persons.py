"""The response model of the export of a person."""

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
