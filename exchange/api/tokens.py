"""Access tokens (RFC 9068): short-lived, signed by the token key, for this exchange alone."""

from collections.abc import Callable
from dataclasses import dataclass

from joserfc import jwk, jwt
from joserfc.errors import JoseError

from exchange.errors import ExchangeRefusal

LIFETIME_S = 600
LEEWAY_S = 5
_TYPE = "at+jwt"
_ALGORITHM = "ES256"


class TokenRefused(ExchangeRefusal):
    """An access token that is missing, damaged, expired or for another exchange."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and reads access tokens; ``now_s`` is UTC in whole seconds since 1970."""

    key: jwk.ECKey
    issuer: str
    now_s: Callable[[], int]

    @classmethod
    def from_pem(cls, pem: bytes, issuer: str, now_s: Callable[[], int]) -> "Tokens":
        """Read the token key, which is on P-256; ``ValueError`` for another kind of key."""
        return cls(jwk.ECKey.import_key(pem), issuer, now_s)

    @property
    def _audience(self) -> str:
        return f"{self.issuer}/v1"

    def issue(self, client_id: str) -> str:
        """A token for the client, good for ``LIFETIME_S`` seconds."""
        now = self.now_s()
        claims = {
            "iss": self.issuer,
            "aud": self._audience,
            "sub": client_id,
            "client_id": client_id,
            "iat": now,
            "exp": now + LIFETIME_S,
        }
        header = {"alg": _ALGORITHM, "typ": _TYPE}
        return jwt.encode(header, claims, self.key, algorithms=[_ALGORITHM])

    def client_of(self, token: str) -> str:
        """The client that a token was issued to; ``TokenRefused`` for one that is not ours."""
        registry = jwt.JWTClaimsRegistry(
            now=self.now_s,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            read = jwt.decode(token, self.key, algorithms=[_ALGORITHM])
            registry.validate(read.claims)
        except (JoseError, ValueError):
            raise TokenRefused(
                "The access token is not valid or has expired: get a new one from /oauth/token."
            ) from None
        if read.header.get("typ") != _TYPE:
            raise TokenRefused("This is not an access token: get one from /oauth/token.")
        return str(read.claims["sub"])
