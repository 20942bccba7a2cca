"""JWTs as NATS wants them: Ed25519 under the algorithm name ``ed25519-nkey``, keys as nkeys."""

import base64
import hashlib
import json
from typing import Any

import nkeys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

ALGORITHM = "ed25519-nkey"


class _NkeyAlgorithm(JWSAlgModel):
    name = ALGORITHM
    description = "Ed25519 as NATS names it"
    key_type = "OKP"

    def sign(self, msg: bytes, key: Any) -> bytes:
        private: Ed25519PrivateKey = key.get_op_key("sign")
        return private.sign(msg)

    def verify(self, msg: bytes, sig: bytes, key: Any) -> bool:
        raise NotImplementedError("what a server asked is read, never trusted")


JWSRegistry.register(_NkeyAlgorithm())
_REGISTRY = JWSRegistry(algorithms=[ALGORITHM])


class NkeyIssuer:
    """Signs claims with an account's nkey."""

    def __init__(self, seed: str) -> None:
        _, raw = nkeys.decode_seed(seed.encode())
        self.public = str(nkeys.from_seed(seed.encode()).public_key.decode())
        x = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
        self._key = OKPKey.import_key(
            {"kty": "OKP", "crv": "Ed25519", "x": _base64url(x), "d": _base64url(raw)}
        )

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT of the claims with its id, a hash of them, in ``jti``."""
        digest = hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).digest()
        identified = {**claims, "jti": base64.b32encode(digest).decode().rstrip("=")}
        return jwt.encode({"alg": ALGORITHM}, identified, self._key, registry=_REGISTRY)


def read_claims(token: bytes) -> object:
    """Claims of a token whose sender the connection vouches for; ``ValueError`` when it is none."""
    try:
        return json.loads(jws.extract_compact(token).payload)
    except (JoseError, RecursionError) as error:
        raise ValueError(f"not a JWT: {type(error).__name__}") from None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
