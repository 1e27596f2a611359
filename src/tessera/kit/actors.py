"""Actors: the callers to whom changes are attributed."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """The kind of an actor."""

    USER = "User"
    API_CLIENT = "ApiClient"
    API_KEY = "ApiKey"
    COMMAND_LINE = "CommandLine"
    JOB = "Job"


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of a change; `name` is an e-mail address, a login, or the name of a client, key or job.

    A user who calls with a long-lived token has the id of the token and the name of its issuer, if that is recorded.
    """

    kind: ActorKind
    id: UUID | None
    name: str
    token_id: UUID | None = None
    token_issuer: str | None = None


# The actor of changes that no caller requests, such as those of jobs.
INSTALLATION = Actor(ActorKind.JOB, None, "tessera")
