"""The digests of seals, which are stored and kept by auditors for years."""

from datetime import UTC, datetime
from uuid import UUID

from tessera.audit.seals.rules import BEGINNING, Head, SealedEntry, seals

ENTRY = SealedEntry(
    organization_id=UUID(int=1),
    id=UUID(int=2),
    at=datetime(2026, 1, 31, 12, 30, 15, 250_000, UTC),
    actor_kind="User",
    actor_id=UUID(int=3),
    actor_name="ada@example.com",
    action="Updated",
    entity_kind="StoreExam",
    entity_id=UUID(int=4),
    before=None,
    after='{"price": "140.00"}',
)


def test_a_chain_has_the_digests_of_earlier_releases() -> None:
    links = seals([ENTRY, ENTRY], head=Head(0, BEGINNING))
    assert [link.digest.hex() for link in links] == [
        "6a659c397013530b55868d4094a2d0a44d054d241507462ab1ebf98d4c0c801d",
        "42ad0715800a89794f0961132123adfe6052f749c23c486acba627f1570eac96",
    ]
