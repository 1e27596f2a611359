"""Who acts: whom a change is attributed to."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """What kind of caller acts."""

    USER = "User"
    API_CLIENT = "ApiClient"
    API_KEY = "ApiKey"
    COMMAND_LINE = "CommandLine"
    JOB = "Job"


@dataclass(frozen=True, slots=True)
class Actor:
    """One who acts, as people know it: an e-mail address, a client's or a key's name, a login, a job."""

    kind: ActorKind
    id: UUID | None
    name: str


# Whatever runs without anybody asking for it.
INSTALLATION = Actor(ActorKind.JOB, None, "tessera")
