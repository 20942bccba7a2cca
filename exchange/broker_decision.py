"""Who may use the broker, and for what: pure, from NATS's auth-callout request to user claims.

A device's username is ``<carrier>/<device>`` and so is its MQTT client id, since NATS hands a
client id's session (and its open connection) to whoever presents it. The claims follow NATS's own
JWT version 2 (github.com/nats-io/jwt, ``AuthorizationRequest`` and ``User``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from exchange.one_time_secrets import secret_matches
from schemas.limits import STATEMENT_BYTES_MAX
from schemas.names import is_name
from schemas.wire.topics import ack_topic, configuration_topic, refusal_topic, segment_topic

USERNAME_BYTES_MAX = 127
PASSWORD_BYTES_MAX = 256
SESSION_LIFETIME_S = 86_400
_SUBSCRIPTIONS_MAX = 32
_ROOM_BYTES = 8192
_NOBODYS_HASH = bytes(32)
_MQTT_INTERNAL = ("$MQTT.sub.>", "$MQTT.deliver.>")
_NKEY_CHARACTERS = 56


Claims = dict[str, Any]


class Cause(StrEnum):
    """Why a connection was not admitted; what the responder counts by."""

    MALFORMED = "malformed"
    NOT_MQTT = "not-mqtt"
    NO_DEVICE_NAME = "no-device-name"
    WRONG_CLIENT_ID = "wrong-client-id"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a cause, no password
    UNAVAILABLE = "unavailable"


class NotAdmitted(Exception):
    """A connection that the broker is told to refuse."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class PasswordHashes(Protocol):
    """Where the devices' passwords are known by their SHA-256."""

    def password_hash(self, carrier: str, device: str) -> bytes | None:
        """SHA-256 (32 bytes) of the device's password; None for an unknown device."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom an answer is for: the server's id and the one-time user key it wants signed."""

    server_id: str
    user_nkey: str


@dataclass(frozen=True, slots=True)
class Login:
    """What a client presented."""

    username: str
    client_id: str
    connection_type: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """A device that names itself; not yet who it says."""

    carrier: str
    device: str


def asked_by(claims: object) -> Asked:
    """Whom a request's answer goes to; ``NotAdmitted(malformed)`` leaves nobody to answer."""
    nats = _mapping(_mapping(claims).get("nats"))
    server_id = _text(_mapping(nats.get("server_id")).get("id"))
    user_nkey = _text(nats.get("user_nkey"))
    if len(server_id) != _NKEY_CHARACTERS or len(user_nkey) != _NKEY_CHARACTERS:
        raise NotAdmitted(Cause.MALFORMED)
    return Asked(server_id, user_nkey)


def login_in(claims: object) -> Login:
    """What the client presented; ``NotAdmitted(malformed)`` when it is not there or too long."""
    nats = _mapping(_mapping(claims).get("nats"))
    information, options = _mapping(nats.get("client_info")), _mapping(nats.get("connect_opts"))
    login = Login(
        username=_text(options.get("user", "")),
        client_id=_text(information.get("mqtt_id", "")),
        connection_type=_text(information.get("type", "")),
        password=_text(options.get("pass", "")),
    )
    if len(login.username) > USERNAME_BYTES_MAX or len(login.password) > PASSWORD_BYTES_MAX:
        raise NotAdmitted(Cause.MALFORMED)
    return login


def device_named(login: Login) -> Device:
    """The device that a login names; ``NotAdmitted`` with the cause when it names none."""
    if login.connection_type != "mqtt":
        raise NotAdmitted(Cause.NOT_MQTT)
    carrier, separator, device = login.username.partition("/")
    if not separator or not is_name(carrier) or not is_name(device):
        raise NotAdmitted(Cause.NO_DEVICE_NAME)
    if login.client_id != login.username:
        raise NotAdmitted(Cause.WRONG_CLIENT_ID)
    return Device(carrier, device)


def check_password(login: Login, held: bytes | None) -> None:
    """In constant time, for unknown devices too; ``NotAdmitted(wrong-password)`` otherwise."""
    matches = secret_matches(login.password, held if held is not None else _NOBODYS_HASH)
    if not matches or held is None:
        raise NotAdmitted(Cause.WRONG_PASSWORD)


def user_claims(asked: Asked, device: Device, *, issuer: str, account: str, now_s: int) -> Claims:
    """Claims that let a device publish its segments and hear its own answers, and nothing else."""
    names = (device.carrier, device.device)
    heard = (ack_topic(*names), refusal_topic(*names), configuration_topic(*names))
    return {
        "iss": issuer,
        "sub": asked.user_nkey,
        "aud": account,
        "name": f"{device.carrier}/{device.device}",
        "iat": now_s,
        "exp": now_s + SESSION_LIFETIME_S,
        "nats": {
            "type": "user",
            "version": 2,
            "pub": {"allow": [_subject(segment_topic(*names))]},
            "sub": {"allow": [*map(_subject, heard), *_MQTT_INTERNAL]},
            "subs": _SUBSCRIPTIONS_MAX,
            "data": -1,
            "payload": STATEMENT_BYTES_MAX + _ROOM_BYTES,
            "allowed_connection_types": ["MQTT"],
        },
    }


def response_claims(
    asked: Asked, *, issuer: str, now_s: int, user_jwt: str = "", error: str = ""
) -> Claims:
    """Claims of the answer to the server: a signed user, or why there is none."""
    answer = {"jwt": user_jwt} if user_jwt else {"error": error}
    return {
        "iss": issuer,
        "sub": asked.user_nkey,
        "aud": asked.server_id,
        "iat": now_s,
        "nats": {"type": "authorization_response", "version": 2, **answer},
    }


def _subject(topic: str) -> str:
    """The NATS subject of an MQTT topic without dots."""
    return topic.replace("/", ".")


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise NotAdmitted(Cause.MALFORMED)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotAdmitted(Cause.MALFORMED)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotAdmitted(Cause.MALFORMED) from None
    return value
