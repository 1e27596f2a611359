"""Requests and responses of the authentication endpoints."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tessera.api.error_rendering.codes import OAUTH_ERROR
from tessera.api.http.fields import DocumentedRequestModel, ResponseModel, Text


class AuthenticateQuery(DocumentedRequestModel):
    """Query of GET /authenticate."""

    code: Text | None = Field(None, alias="Code", description="Any text, returned as `code`.", examples=["abc"])


class AuthTokenModel(ResponseModel):
    """Response of GET /authenticate (Pattern A)."""

    authToken: str = Field(description="A Bearer token, valid for one hour.")
    code: str | None = Field(description="The `Code` of the request, or null.")


class AccessTokenRequest(DocumentedRequestModel):
    """Form of POST /oauth/token (RFC 6749, section 4.4.2); only for the OpenAPI document."""

    model_config = ConfigDict(alias_generator=None)  # the RFC defines the names

    grant_type: str = Field(description="`client_credentials`.", json_schema_extra={"enum": ["client_credentials"]})
    client_id: str | None = Field(None, description="The ClientId, unless it is in the Basic credentials.")
    client_secret: str | None = Field(None, description="The client secret, unless it is in the Basic credentials.")


class AccessTokenModel(ResponseModel):
    """Response of POST /oauth/token (RFC 6749, section 5.1)."""

    access_token: str = Field(description="A Bearer token.")
    token_type: str = Field(description="`Bearer`.")
    expires_in: int = Field(description="The lifetime of the token in seconds.")


class OAuthErrorModel(ResponseModel):
    """Error of POST /oauth/token (RFC 6749, section 5.2)."""

    error: Annotated[str, OAUTH_ERROR] = Field(description="The kind of error.")
    error_description: str = Field(description="A sentence for the developer.")
