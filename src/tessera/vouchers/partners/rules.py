"""The rules of voucher partners."""

from collections.abc import Iterator
from dataclasses import dataclass

from tessera.identity.rules import name_violations
from tessera.kit.errors import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerDraft:
    """A partner that somebody asks for, or its new name; None is what could not be read, as `refused` tells."""

    name: str | None = None
    is_active: bool | None = None
    refused: tuple[Violation, ...] = ()


def violations(draft: PartnerDraft) -> Iterator[Violation]:
    """Everything that is wrong with a draft by itself."""
    yield from draft.refused
    if draft.name is not None:
        yield from name_violations("name", draft.name)
