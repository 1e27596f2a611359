"""Who a person is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The ids of a person with storefronts, and the keys of the addresses that no other candidate has."""

    person_ids: tuple[str, ...]
    email_keys: tuple[str, ...]
