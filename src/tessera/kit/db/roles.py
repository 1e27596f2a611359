"""The two roles of an installation, which the addresses of its database name."""

from urllib.parse import parse_qs

# An address with another role names it in the parameter. Migrations are written with these names.
APPLICATION_ROLE = "tessera_app"
OWNER_ROLE = "tessera_owner"
ROLE_PARAMETER = "tessera_role"


def with_role(url: str, role: str) -> str:
    """The URL with the role that connections act as, which need not be the login."""
    return f"{url}{'&' if '?' in url else '?'}{ROLE_PARAMETER}={role}"


def role_of(url: str, default: str = APPLICATION_ROLE) -> str:
    """The role in the URL, or the default one."""
    return parse_qs(url.partition("?")[2]).get(ROLE_PARAMETER, [default])[-1]
