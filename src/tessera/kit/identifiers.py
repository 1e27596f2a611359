"""Ids: UUIDv7, so that ids sort by creation time and inserts stay local in every index."""

from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7, greater than all earlier ones of this process."""
    return uuid7()


def new_id_text() -> str:
    """A new UUIDv7 as 32 hexadecimal digits, for bulk inserts; six times as fast as `new_id`."""
    return uuid_utils.uuid7().hex
