"""The attacks in a short form: an honest organization sees no error, and strangers get what the limits say."""

from collections.abc import AsyncIterator

import pytest

from tessera.provision import Addresses
from tests.attacks.rounds import Arena
from tests.attacks.stage import populate, serving

REQUESTS = 15
SECONDS = 60  # only if something is wrong
SMALL_BUDGETS = {"TESSERA_MISSES_BURST": "100", "TESSERA_WRONG_SECRETS_PER_MINUTE": "3"}
# For each attack, the answers that the stranger gets. The other attacks take longer.
EXPECTED = {
    "long_questions": {"200", "429"},
    "guessed_codes": {"429"},
    "guessed_secrets": {"401", "429"},
    "exports": {"200"},
}


@pytest.fixture(scope="module")
async def arena(addresses: Addresses, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    """A server process with small budgets, a process for the stranger, and one for the honest organization."""
    parties = await populate(addresses)
    with (
        serving(addresses, parties, tmp_path_factory.mktemp("attack"), **SMALL_BUDGETS) as stage,
        Arena(stage) as opened,
    ):
        yield opened


@pytest.mark.parametrize("name", EXPECTED)
def test_an_honest_organization_sees_no_error_beside(arena: Arena, name: str) -> None:
    result = arena.attacked(name, SECONDS, most=REQUESTS, until=EXPECTED[name])
    assert (result.b.errors, len(result.b.seconds)) == ((), REQUESTS)
    assert EXPECTED[name] <= result.answers.keys()
    assert not {"500", "503"} & result.answers.keys()
