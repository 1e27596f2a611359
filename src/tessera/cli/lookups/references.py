"""References to resources in arguments: names, codes and ids."""

from collections.abc import Iterable
from uuid import UUID

from tessera.kit.errors import Conflict, NotFound


def as_id(text: str) -> UUID | None:
    """The text as an id; None if it is not an id."""
    try:
        return UUID(text)
    except ValueError:
        return None


def named(noun: str, name: str, names: Iterable[tuple[str, UUID]]) -> UUID:
    """The only id with this name, ignoring case; raises NotFound, and Conflict if there are several."""
    key = name.casefold()
    ids = [row_id for each, row_id in names if each.casefold() == key]
    if len(ids) > 1:
        raise Conflict(f"Several {noun}s are named {name}; choose an id: {', '.join(map(str, ids))}.")
    return required(ids[0] if ids else None, f"There is no {noun} {name}.")


def required(resource_id: UUID | None, message: str) -> UUID:
    """The id; raises NotFound with this message if it is None."""
    if resource_id is None:
        raise NotFound(message)
    return resource_id
