"""Commands on long-lived Bearer tokens."""

from datetime import timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.database_sessions import in_organization
from tessera.cli.lookups import access as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Email, TokenDays, Yes
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.cli.startup import start_with_token_key
from tessera.identity import provisioning
from tessera.identity.tokens import service as tokens
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.tokens import TokenSigner

Token = Annotated[
    str, typer.Argument(help="The token's id, or the email address of a user with one token.", metavar="TOKEN")
]

commands = CommandGroup()


@commands.command("issue")
def issue_token(session: OrganizationSession, email: Email, days: TokenDays = 365) -> None:
    """Issue a long-lived Bearer token, and print it once.

    The token is signed with the first key of TESSERA_TOKEN_KEYS, by default with the key that `tessera serve --demo`
    generated.
    """
    settings = start_with_token_key()
    signer, lifetime, now = TokenSigner(settings.token_keys), timedelta(days=days), clock()
    token = in_organization(
        settings,
        session.organization,
        lambda work: provisioning.issue_token(work, signer=signer, email=email, lifetime=lifetime, now=now),
    )
    fields = {"email": email, "token": token.secret, "expiresAt": now + lifetime, "id": token.id}
    session.show_secret(f"Issued a token to {email}.", fields)


@commands.command("list")
def list_tokens(session: OrganizationSession) -> None:
    """List the long-lived tokens of all users, newest first."""
    names = ("email", "id", "expires_at", "revoked_at", "created_at")
    rows = session.fetch_newest(partial(tokens.list_by_cursor, user_id=None))
    session.show_rows([fields_of(token, *names) for token in rows], if_none="There are no tokens yet.")


@commands.command("revoke")
def revoke_token(session: OrganizationSession, token: Token, *, yes: Yes = False) -> None:
    """Revoke a token immediately (permanent)."""
    confirm(f"Revoke the token {token} permanently?", yes=yes)
    now = clock()

    async def revoke(work: UnitOfWork, token_id: UUID) -> UUID:
        await provisioning.revoke_token(work, token_id=token_id, now=now)
        return token_id

    session.show("Revoked the token.", {"id": session.run_on(lookups.token_id, token, revoke), "revokedAt": now})
