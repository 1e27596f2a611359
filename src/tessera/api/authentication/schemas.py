"""What the authentication endpoints answer."""

from pydantic import ConfigDict, Field

from tessera.api.http.fields import RequestModel, ResponseModel, Text


class AuthenticateQuery(RequestModel):
    """Query of GET /authenticate."""

    code: Text | None = Field(None, alias="Code", description="Any text; it comes back as `code`.", examples=["abc"])


class AuthTokenModel(ResponseModel):
    """Answer of GET /authenticate (Pattern A)."""

    authToken: str = Field(description="A Bearer token, good for one hour.")
    code: str | None = Field(description="The `Code` of the request, or null.")


class AccessTokenRequest(RequestModel):
    """Form of POST /oauth/token (RFC 6749, section 4.4.2), for the OpenAPI document."""

    model_config = ConfigDict(alias_generator=None)  # the RFC has its own names

    grant_type: str = Field(description="`client_credentials`.", json_schema_extra={"enum": ["client_credentials"]})
    client_id: str | None = Field(None, description="The ClientId, unless Basic carries it.")
    client_secret: str | None = Field(None, description="Its secret, unless Basic carries it.")


class AccessTokenModel(ResponseModel):
    """Answer of POST /oauth/token (RFC 6749, section 5.1)."""

    access_token: str = Field(description="A Bearer token.")
    token_type: str = Field(description="`Bearer`.")
    expires_in: int = Field(description="How long it is good, in seconds.")


class OAuthErrorModel(ResponseModel):
    """Error of POST /oauth/token (RFC 6749, section 5.2)."""

    error: str = Field(description="One of the codes of RFC 6749, or `server_error`, `temporarily_unavailable`.")
    error_description: str = Field(description="A sentence for the developer.")
