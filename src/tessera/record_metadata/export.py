"""The columns of metadata in CSV files."""

import json
from functools import partial
from typing import Any
from uuid import UUID

from tessera.kit.csv import Columns
from tessera.kit.db.database import Database
from tessera.record_metadata import service
from tessera.record_metadata.rules import COLUMN_PREFIX, Kind

MAX_COLUMNS = 100


async def columns(database: Database, organization_id: UUID, kind: Kind) -> Columns:
    """A column for each key, as in the files of other systems, or one with JSON if there are more than 100 keys.

    Without metadata, there is none.
    """
    async with database.unit_of_work(organization_id) as work:
        keys = await service.list_keys(work, kind, limit=MAX_COLUMNS + 1)
    if len(keys) > MAX_COLUMNS:
        return {"metadata": _json}
    return {f"{COLUMN_PREFIX}{key}": partial(_text, key) for key in keys}


def _json(record: Any) -> str | None:  # noqa: ANN401 - a record of any kind
    return json.dumps(record.metadata, ensure_ascii=False, sort_keys=True) if record.metadata else None


def _text(key: str, record: Any) -> str | None:  # noqa: ANN401
    return (record.metadata or {}).get(key)
