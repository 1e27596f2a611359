"""The rules of voucher programs that need no query."""

import pytest

from tessera.vouchers.programs.rules import ProgramDraft, violations


@pytest.mark.parametrize(("length", "codes"), [(253, []), (254, ["InvalidEmailDomain"])])
def test_a_domain_has_at_most_253_characters(length: int, codes: list[str]) -> None:
    domain = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * (length - 192 - 4), "com"])
    assert len(domain) == length
    assert [each.code for each in violations(ProgramDraft(email_domains=(domain,)))] == codes
