"""Commands on long-lived Bearer tokens."""

from datetime import timedelta
from functools import partial

from tessera.cli.database_sessions import in_organization
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Email, Id, TokenDays, parse_id
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.cli.startup import start_with_token_key
from tessera.identity import provisioning
from tessera.identity.tokens import service as tokens
from tessera.kit.clock import clock
from tessera.kit.tokens import TokenSigner

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
    fields = {"id": token.id, "email": email, "token": token.secret, "expiresAt": now + lifetime}
    session.show_secret(f"Issued a token to {email}.", fields)


@commands.command("list")
def list_tokens(session: OrganizationSession) -> None:
    """List the long-lived tokens of all users, oldest first."""
    names = ("id", "email", "created_at", "expires_at", "revoked_at")
    rows = session.fetch_all(partial(tokens.list_by_cursor, user_id=None))
    session.show_rows([fields_of(token, *names) for token in rows], if_none="There are no tokens yet.")


@commands.command("revoke")
def revoke_token(session: OrganizationSession, token_id: Id) -> None:
    """Revoke a token immediately."""
    uuid, now = parse_id(token_id), clock()
    session.run(lambda work: provisioning.revoke_token(work, token_id=uuid, now=now))
    session.show("Revoked the token.", {"id": uuid, "revokedAt": now})
