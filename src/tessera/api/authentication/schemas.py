"""What the authentication endpoints answer."""

from pydantic import Field

from tessera.api.types import RequestModel, ResponseModel, Text


class AuthenticateQuery(RequestModel):
    """Query of GET /authenticate."""

    code: Text | None = Field(None, alias="Code", description="Any text; it comes back as `code`.", examples=["abc"])


class AuthTokenModel(ResponseModel):
    """Answer of GET /authenticate (Pattern A)."""

    authToken: str = Field(description="A Bearer token, good for one hour.")
    code: str | None = Field(description="The `Code` of the request, or null.")


class AccessTokenModel(ResponseModel):
    """Answer of POST /oauth/token (RFC 6749, section 5.1)."""

    access_token: str
    token_type: str
    expires_in: int = Field(description="Seconds.")


class OAuthErrorModel(ResponseModel):
    """Error of POST /oauth/token (RFC 6749, section 5.2)."""

    error: str
    error_description: str
