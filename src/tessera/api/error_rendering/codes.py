"""The codes of errors in all formats with their meanings, for the OpenAPI document."""

from tessera.api.http.enumerations import Enumeration

URN = "urn:tessera:problem:"

PROBLEM_TYPE = Enumeration(
    "ProblemType",
    "The kind of a problem.",
    {
        f"{URN}{kind}": meaning
        for kind, meaning in {
            "validation-failed": "The request is invalid. `errors` has every violation.",
            "malformed-request": "The request cannot be parsed: its JSON, a header or the query string.",
            "not-authenticated": "The credential is missing, invalid, expired or revoked.",
            "function-point-missing": "The credential lacks the right that `detail` names.",
            "not-allowed": "The credential has the right, but this request is still forbidden; `detail` says why.",
            "too-many-results": "The query matches too many records. Refine its filters.",
            "not-found": "The resource does not exist, or is not visible to this credential.",
            "method-not-allowed": "The path has other methods, which the header `Allow` lists.",
            "conflict": "The request contradicts existing data, such as the deactivation of the last administrator.",
            "wrong-state": "The state of the resource, in `state`, does not permit the operation.",
            "not-redeemable": "The code cannot be redeemed. `errors` has every reason.",
            "idempotency-key-in-use": "A request with this key is still running. Repeat it after `Retry-After`.",
            "idempotency-key-reused": "The key was used with another request. Send a new key.",
            "version-missing": "The header `If-Match` is missing.",
            "version-stale": "The resource has changed since it was read. Read it again.",
            "request-too-large": "The body exceeds the limit of the operation.",
            "request-timeout": "The request arrived too slowly. The connection is closed.",
            "head-too-large": "The request line and the headers exceed 32 KiB. The connection is closed.",
            "unsupported-media-type": "The operation does not accept this media type or encoding.",
            "too-many-requests": "A limit that protects others is reached. Repeat the request after `Retry-After`.",
            "internal-server-error": "An error of the server. Its log has the details for the `X-Request-ID`.",
            "service-unavailable": (
                "The database is unavailable, the request took too long, or the organization is frozen."
                " Repeat it later."
            ),
        }.items()
    },
)
CERTIVERSE_ERROR = Enumeration(
    "CertiverseErrorCode",
    "The kind of an error.",
    {
        "ValidationFailed": "The request is invalid. `errorMessages` has every violation.",
        "FilterRequired": "The list needs at least one filter.",
        "TooManyResults": "The query matches more than 10,000 records. Refine its filters.",
        "MalformedRequest": "The request cannot be parsed: its JSON or the query string.",
        "NotAuthenticated": "The credential is missing, invalid or revoked.",
        "TokenExpired": "The token has expired. Get a new one.",
        "FunctionPointMissing": "The credential lacks the right that the message names.",
        "NotFound": "No operation has this path.",
        "MethodNotAllowed": "The path has other methods, which the header `Allow` lists.",
        "IdempotencyKeyMalformed": "The header `Idempotency-Key` is malformed.",
        "IdempotencyKeyInUse": "A request with this key is still running. Repeat it after `Retry-After`.",
        "IdempotencyKeyReused": "The key was used with another request. Send a new key.",
        "RequestTooLarge": "The body exceeds 1 MiB.",
        "RequestTimeout": "The request arrived too slowly. The connection is closed.",
        "RequestHeaderFieldsTooLarge": "The request line and the headers exceed 32 KiB. The connection is closed.",
        "UnsupportedMediaType": "The body is not JSON, or has a `Content-Encoding`.",
        "TooManyRequests": "A limit that protects others is reached. Repeat the request after `Retry-After`.",
        "InternalServerError": "An error of the server. Its log has the details for the `X-Request-ID`.",
        "ServiceUnavailable": (
            "The database is unavailable, the request took too long, or the organization is frozen. Repeat it later."
        ),
    },
)
OAUTH_ERROR = Enumeration(
    "OAuthErrorCode",
    "The kind of an error of the token endpoint (RFC 6749, section 5.2).",
    {
        "invalid_client": "The client or its secret is not valid.",
        "invalid_request": "The request is malformed.",
        "unsupported_grant_type": "The grant type is not `client_credentials`.",
        "server_error": "An error of the server.",
        "temporarily_unavailable": "The database is unavailable, or the request took too long. Repeat it later.",
    },
)
