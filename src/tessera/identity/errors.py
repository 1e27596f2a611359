"""Domain errors that users, API clients and organizations share."""

from tessera.kit.errors import Conflict, Invalid, Violation


class NameTaken(Invalid):
    """Another record has this name."""

    def __init__(self, field: str, name: str) -> None:
        super().__init__([Violation("NameTaken", field, f"is taken: {name}")])


class LastAdministrator(Conflict):
    """Without this administrator, nobody could manage the organization over HTTP any more."""

    def __init__(self) -> None:
        super().__init__("This is the last active administrator of the organization. Appoint another one first.")
