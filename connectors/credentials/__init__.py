"""How a connector proves itself to a provider over HTTP: what its settings say, and the headers made of it.

`settings` holds what is declared, `headers` makes what is fixed, `tokens` fetches what is not.
"""

from collections.abc import Mapping, Sequence

from connectors.contract import ConnectorContext
from connectors.credentials.headers import (
    Credentials,
    CredentialsRefused,
    FixedHeaders,
    Part,
    Sender,
    basic,
    basic_part,
    keys_part,
)
from connectors.credentials.settings import (
    SECRET,
    URL,
    AnyCredentials,
    Basic,
    CredentialSettings,
    FetchedToken,
    Header,
    HeaderName,
    HeaderValue,
    LGSPAccessToken,
    NoCredentials,
    OAuth2,
    OAuth2Password,
    SecretName,
    Text,
    Triple,
    authority_of,
)
from connectors.credentials.tokens import FetchedTokens, OAuth2Tokens

__all__ = [
    "SECRET",
    "URL",
    "CredentialSettings",
    "Credentials",
    "CredentialsRefused",
    "HeaderName",
    "HeaderValue",
    "NoCredentials",
    "SecretName",
    "Sender",
    "Text",
    "authority_of",
    "basic",
    "make_credentials",
]


def make_credentials(
    settings: AnyCredentials, headers: Mapping[str, str], http: Sender, context: ConnectorContext
) -> Credentials:
    """Make the credentials that the settings describe, with the fixed headers beside them. No I/O."""
    match settings:
        case NoCredentials():
            return FixedHeaders(headers, context)
        case Basic():
            return FixedHeaders(headers, context, [basic_part(settings)])
        case Header():
            return FixedHeaders({**headers, settings.name: settings.value}, context)
        case Triple():
            return FixedHeaders(headers, context, [keys_part(settings)])
        case LGSPAccessToken(token=token):
            keys = [keys_part(settings)]
            fixed = FixedHeaders(headers, context, keys)
            return fixed if token is None else _tokens(token, fixed, keys, http, context)
        case OAuth2() | OAuth2Password() | FetchedToken():
            return _tokens(settings, FixedHeaders(headers, context), [], http, context)


def _tokens(
    token: OAuth2 | OAuth2Password | FetchedToken,
    fixed: FixedHeaders,
    keys: Sequence[Part],
    http: Sender,
    context: ConnectorContext,
) -> Credentials:
    """Return what fetches tokens; `keys` go with the request for one, too."""
    asking = FixedHeaders(token.headers, context, keys)
    if isinstance(token, FetchedToken):
        return FetchedTokens(token, fixed, asking, http, context)
    return OAuth2Tokens(token, fixed, asking, http, context)
