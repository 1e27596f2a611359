"""Ids: UUIDv7, so that creation order is id order and inserts stay local in every index."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7, rising within this process."""
    return uuid7()
