"""Limits on wrong secrets: how often a stranger may try a secret for one client, key or token."""

import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from tessera.identity.authentication.credentials import Credential, CredentialKind, CredentialName, WrongSecret
from tessera.kit.errors import TooManyRequests
from tessera.kit.token_buckets import Rate, TokenBuckets

# Names beyond this number are forgotten, the least recently tried first.
MAX_NAMES = 20_000
# How long a new secret of a client may be taken for a wrong one, while strangers try secrets for this client.
RECHECK_SECONDS = 5.0
NO_DIGEST = b""


class WrongSecrets:
    """The wrong secrets that this process has seen for each name, whether the name exists or not.

    Everybody may know the name of a client, so its owner must not be locked out by the attempts of a stranger. After
    a wrong secret, the digest of the right one is kept here: the owner's requests are looked up at any time, and those
    of others are rejected without a look-up once the budget is used up. Because the secret of a client may have been
    rotated, one request every few seconds is looked up all the same; it spends from the budget, too. Forged tokens
    have budgets of their own, because no digest tells them from the requests of the owner.
    """

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._budgets: TokenBuckets[CredentialName] = TokenBuckets(rate, max_keys=MAX_NAMES)
        self._forgeries: TokenBuckets[CredentialName] = TokenBuckets(rate, max_keys=MAX_NAMES)
        # The digest of the right secret, and the time of the last look-up of it. A name that does not exist has the
        # digest of no secret, so that it gets the same answers as one that exists.
        self._digests: OrderedDict[CredentialName, tuple[bytes, float]] = OrderedDict()

    def admit(self, credential: Credential) -> None:
        """Raise TooManyRequests if the name of this credential has used up its budget."""
        seconds = self._budgets.seconds_until_room(credential.name)
        if not seconds or credential.digest is None:  # the signature of a Bearer token was verified
            return
        known_digest, checked_at = self._digests[credential.name]
        if hmac.compare_digest(known_digest, credential.digest):
            return
        # A rotated key has another name.
        if credential.kind is CredentialKind.KEY or self._clock() - checked_at < RECHECK_SECONDS:
            raise _too_many(seconds)
        self._digests[credential.name] = known_digest, self._clock()

    def note(self, credential: Credential, error: WrongSecret) -> None:
        """Count a wrong secret."""
        self._budgets.spend(credential.name)
        self._digests[credential.name] = error.valid_digest or NO_DIGEST, self._clock()
        self._digests.move_to_end(credential.name)
        if len(self._digests) > MAX_NAMES:
            self._digests.popitem(last=False)

    def note_forgery(self, name: CredentialName) -> None:
        """Count a token that names this client or token, but that has no valid signature; raises TooManyRequests."""
        seconds = self._forgeries.seconds_until_room(name)
        if seconds:
            raise _too_many(seconds)
        self._forgeries.spend(name)


def _too_many(seconds: float) -> TooManyRequests:
    message = "Too many attempts with a wrong secret. Try again later."
    return TooManyRequests(message, limit="wrong secrets", retry_after=math.ceil(seconds))
