"""Budgets of misses: how often a caller may guess codes before it must wait."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi import Request

from tessera.api.http.parsing import header
from tessera.identity.authentication.credentials import Credential
from tessera.kit.errors import TooManyRequests
from tessera.kit.token_buckets import Rate, TokenBuckets

HEADER = "Tessera-Client"
_HEADER = HEADER.lower().encode()
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "Any text that identifies your visitor, such as a random session id. Each visitor has a budget of guesses"
        " at codes, so that a visitor who guesses codes does not use up your own."
    ),
    "schema": {"type": "string"},
    "example": "5f1c2d0a9b",
}
# Callers beyond this number are forgotten, those with the oldest misses first.
MAX_CALLERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessLimits:
    """The budgets of one process: misses of a credential and of each of its visitors, and wrong secrets of a name."""

    misses: Rate
    visitor_misses: Rate
    wrong_secrets: Rate

    def divided_by(self, processes: int) -> "GuessLimits":
        """The budgets of each of several processes, which together never allow more than these."""
        return GuessLimits(
            misses=self.misses.divided_by(processes),
            visitor_misses=self.visitor_misses.divided_by(processes),
            wrong_secrets=self.wrong_secrets.divided_by(processes),
        )


class Asker(NamedTuple):
    """A caller that asks for codes: its credential, and the digest of the name of its visitor, if it has named one.

    The credential has no address, so that its requests from many addresses share one budget. It has a digest, so that
    a wrong secret does not tell that the budget of the right one is used up.
    """

    credential: Credential
    visitor: bytes | None


def asker(request: Request, credential: Credential) -> Asker:
    """The caller of this request and the visitor that it names."""
    visitor = header(request.scope, _HEADER)
    # A digest, because the name may have any length.
    digest = hashlib.blake2b(visitor, digest_size=16).digest() if visitor else None
    return Asker(Credential(credential.kind, credential.name, credential.digest, credential.generation), digest)


class MissBudgets:
    """The misses that this process has seen of each credential and of each visitor."""

    def __init__(self, limits: GuessLimits) -> None:
        self._credentials: TokenBuckets[Credential] = TokenBuckets(limits.misses, max_keys=MAX_CALLERS)
        self._visitors: TokenBuckets[Asker] = TokenBuckets(limits.visitor_misses, max_keys=MAX_CALLERS)

    def admit(self, caller: Asker) -> None:
        """Raise TooManyRequests if the credential or the visitor has used up its budget."""
        seconds = self._credentials.seconds_until_room(caller.credential)
        if caller.visitor is not None:
            seconds = max(seconds, self._visitors.seconds_until_room(caller))
        if seconds:
            message = "Too many guesses at codes. Try again later."
            raise TooManyRequests(message, limit="misses", retry_after=math.ceil(seconds))

    def spend(self, caller: Asker, misses: int) -> None:
        """Count guesses at codes."""
        if misses:
            self._credentials.spend(caller.credential, misses)
            if caller.visitor is not None:
                self._visitors.spend(caller, misses)
