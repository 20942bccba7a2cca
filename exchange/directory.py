"""The exchange's directory: every key, certificate and place of one exchange, made once.

The policy file is written last, so a start that was killed half-way is completed by the next one:
each file is written whole or not at all, and whatever is made from another file is checked against
it. Once the policy is there, a missing key is a loss to be told, not made again. Secrets are files
of mode 0600 in a folder of mode 0700.

    format                 version of this layout
    origin                 the log's origin, for ever
    log.vkey               the log's verifier key, and log-ml-dsa.vkey its second one
    policy.txt             what a reader needs to trust this log: its key, the exchange's key
    ports.json, up.json    the ports that are kept; what ``up`` printed last
    fence                  the last signed checkpoint, outside the database (ledger.fence)
    secrets/               private keys and passwords
    tls/                   CA certificate, server certificate and its key
    postgres/ nats/ logs/  the embedded servers' data, one log per process
"""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import nkeys
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from exchange import certificates
from exchange.broker_address import told_to_agents
from exchange.exits import EnvironmentUnfit
from exchange.log_keys import make_log_keys
from exchange.private_files import (
    UNFINISHED_SUFFIX,
    check_owner,
    make_private_folder,
    unfit,
    write_private,
)
from exchange.settings import Settings
from ledger.cosignature import MLDSA44Cosigner
from ledger.note import Ed25519NoteSigner
from schemas.cose.keys import SoftwareSigner
from schemas.names import org_issuer

FORMAT = "haulproof exchange directory 1\n"
LOCK_NAME = "lock"
_ALWAYS_NAMED = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


class Directory:
    """The places in an exchange's directory; making one touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.format = self.root / "format"
        self.policy = self.root / "policy.txt"
        self.vkey = self.root / "log.vkey"
        self.ml_dsa_vkey = self.root / "log-ml-dsa.vkey"
        self.ports = self.root / "ports.json"
        self.announcement = self.root / "up.json"
        self.lock = self.root / LOCK_NAME
        self.fence = self.root / "fence"
        self.postgres = self.root / "postgres"
        self.nats = self.root / "nats"
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"
        self.log_key = self.secrets / "log.key"
        """Ed25519; this and the other keys are unencrypted PKCS#8 PEM."""
        self.ml_dsa_key = self.secrets / "log-ml-dsa.key"
        """ML-DSA-44, the log's second key."""
        self.exchange_key = self.secrets / "exchange.key"
        """ES256, the exchange's organisation key."""
        self.token_key = self.secrets / "token.key"
        """ES256, signs access tokens."""
        self.ca_key = self.secrets / "ca.key"
        self.operator = self.secrets / "operator.json"
        """The operator's ``client_id`` and ``client_secret``."""
        self.nats_secrets = self.secrets / "nats.json"
        self.postgres_secrets = self.secrets / "postgres.json"
        self.tls = self.root / "tls"
        self.ca_certificate = self.tls / "ca.pem"
        """What agents are given at enrolment."""
        self.server_certificate = self.tls / "server.pem"
        self.server_key = self.tls / "server.key"
        self._origin = self.root / "origin"

    @property
    def origin(self) -> str | None:
        """The log's origin; None before the first start has made it."""
        return self._origin.read_text(encoding="ascii").strip() if self._origin.exists() else None

    def keep_origin(self, origin: str) -> None:
        """Write the origin, once for ever."""
        write_private(self._origin, f"{origin}\n".encode())

    def log_signer(self) -> Ed25519NoteSigner:
        """The log's signer; its ``vkey`` is what readers trust."""
        return Ed25519NoteSigner.from_pem(self.origin or "", self.log_key.read_bytes())

    def ml_dsa_signer(self) -> MLDSA44Cosigner:
        """The signer of the log's second key."""
        return MLDSA44Cosigner.from_pem(self.origin or "", self.ml_dsa_key.read_bytes())

    def log_vkey(self) -> str:
        """The log's verifier key, for processes that have no business with its private key."""
        return self.vkey.read_text(encoding="ascii").strip()

    def log_ml_dsa_vkey(self) -> str:
        """The verifier key of the log's second key."""
        return self.ml_dsa_vkey.read_text(encoding="ascii").strip()

    def exchange_signer(self) -> SoftwareSigner:
        """The signer of the exchange's organisation key."""
        return SoftwareSigner.from_pem(self.exchange_key.read_bytes())


def claim_directory(settings: Settings) -> Directory:
    """The settings' directory, made and marked as an exchange's when there is none.

    Raises ``EnvironmentUnfit`` for a directory of another version, a foreign one, another user's,
    a full disk or no permission.
    """
    directory = Directory(settings.dir)
    _claim(directory)
    return directory


def open_directory(
    settings: Settings,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Directory:
    """The settings' directory with everything in it; makes what is missing, renews certificates.

    To be called by the one process that holds the directory's lock. Raises ``EnvironmentUnfit``
    as ``claim_directory`` does, and when the log in it has another origin.
    """
    directory = claim_directory(settings)
    try:
        _complete(directory, settings, now())
    except OSError as error:
        raise unfit(Path(error.filename or directory.root), error) from None
    return directory


def _complete(directory: Directory, settings: Settings, now: datetime) -> None:
    for folder in (directory.secrets, directory.tls, directory.nats, directory.logs):
        make_private_folder(folder)
    _make_origin(directory, settings.origin)
    make_log_keys(directory, settings.token_place)
    _make_secrets(directory)
    _check_secrets(directory)
    renew_certificates(directory, settings, now)
    _make_policy(directory, settings.organisation)


def renew_certificates(directory: Directory, settings: Settings, now: datetime) -> bool:
    """Make the CA's and the server's certificate where missing, unfit or near their end.

    Returns whether anything was made: then the servers that use them have to read them again.
    """
    names = server_names(settings)
    ca_key, server_key = _read_key(directory.ca_key), _read_key(directory.server_key)
    ca = _read_or_empty(directory.ca_certificate)
    server = _read_or_empty(directory.server_certificate)
    if not certificates.ca_is_good(ca, ca_key, now):
        common_name = f"haulproof {directory.origin}"
        ca = certificates.make_ca(ca_key, common_name, now, x509.random_serial_number())
        write_private(directory.ca_certificate, ca)
    elif certificates.server_certificate_is_good(server, server_key, ca, names, now):
        return False
    serial = x509.random_serial_number()
    server = certificates.make_server_certificate(server_key, ca_key, ca, names, now, serial)
    write_private(directory.server_certificate, server)
    return True


def existing_directory(path: Path) -> Directory:
    """A directory that ``up`` has made; ``EnvironmentUnfit`` with a sentence when it isn't one."""
    directory = Directory(path)
    try:
        held = directory.format.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise EnvironmentUnfit(
            f"{path} is no exchange's directory: start one with haulproof up --dir {path}"
        ) from None
    except OSError as error:
        raise unfit(directory.format, error) from None
    _check_format(directory, held)
    return directory


def server_names(settings: Settings) -> set[str]:
    """DNS names and addresses that the server certificate is for."""
    told = {settings.api_host, settings.mqtt_host, told_to_agents(settings, 0)[0]}
    return (told | set(settings.server_names) | _ALWAYS_NAMED) - _ANY_ADDRESS


def _claim(directory: Directory) -> None:
    root = directory.root
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unfit(root.parent, error) from None
    make_private_folder(root)
    check_owner(root)
    try:
        held = directory.format.read_text(encoding="utf-8") if directory.format.exists() else None
        strangers = {entry.name for entry in root.iterdir()} - {LOCK_NAME}
    except OSError as error:
        raise unfit(root, error) from None
    if held is not None:
        _check_format(directory, held)
    elif any(not name.endswith(UNFINISHED_SUFFIX) for name in strangers):
        raise EnvironmentUnfit(
            f"{root} holds other files and is no exchange's directory: choose an empty --dir"
        )
    else:
        write_private(directory.format, FORMAT.encode())


def _check_format(directory: Directory, held: str) -> None:
    if held != FORMAT:
        raise EnvironmentUnfit(
            f"{directory.root} was made by another version of haulproof ({held.strip()[:60]}): "
            "start that version, or choose another --dir"
        )


def _make_origin(directory: Directory, configured: str | None) -> None:
    held = directory.origin
    if held is None:
        directory.keep_origin(configured or f"localhost/haulproof-{secrets.token_hex(4)}")
    elif configured is not None and configured != held:
        raise EnvironmentUnfit(
            f"the log in {directory.root} has the origin {held} for ever: "
            "remove origin from the settings, or choose another --dir"
        )


def _make_secrets(directory: Directory) -> None:
    _make_once(directory, directory.exchange_key, lambda: SoftwareSigner.generate().to_pem())
    for path in (directory.token_key, directory.ca_key, directory.server_key):
        _make_once(directory, path, lambda: _pem(ec.generate_private_key(ec.SECP256R1())))
    _make_once(
        directory,
        directory.operator,
        lambda: _json(client_id="operator", client_secret=secrets.token_urlsafe(32)),
    )
    _make_once(
        directory,
        directory.nats_secrets,
        lambda: _json(
            exchange_user="exchange",
            exchange_password=secrets.token_urlsafe(32),
            callout_user="callout",
            callout_password=secrets.token_urlsafe(32),
            issuer_seed=nkeys.encode_seed(
                secrets.token_bytes(32), nkeys.PREFIX_BYTE_ACCOUNT
            ).decode(),
        ),
    )
    _make_once(
        directory,
        directory.postgres_secrets,
        lambda: _json(
            superuser_password=secrets.token_urlsafe(32),
            runtime_password=secrets.token_urlsafe(32),
        ),
    )


def _check_secrets(directory: Directory) -> None:
    """Every secret can be read."""
    keys = (directory.exchange_key, directory.token_key, directory.ca_key, directory.server_key)
    try:
        for path in keys:
            SoftwareSigner.from_pem(path.read_bytes())
        for path in (directory.operator, directory.nats_secrets, directory.postgres_secrets):
            read_secrets(path)
    except ValueError:
        raise _damaged(path) from None


def read_secrets(path: Path) -> dict[str, str]:
    """Names and values of a JSON file of ``secrets/``; ``EnvironmentUnfit`` when it is damaged."""
    try:
        held = json.loads(path.read_bytes())
        return {name: held[name] for name in held if isinstance(held[name], str)}
    except (ValueError, TypeError):
        raise _damaged(path) from None


def _damaged(path: Path) -> EnvironmentUnfit:
    return EnvironmentUnfit(f"{path} is damaged: bring it back from a backup")


def _make_policy(directory: Directory, organisation: str) -> None:
    if directory.policy.exists():
        return
    pin = directory.exchange_signer().public.thumbprint.hex()
    text = (
        f"log {directory.log_vkey()}\n"
        "quorum none\n"
        f"#haulproof key {org_issuer(organisation)} {pin}\n"
    )
    write_private(directory.policy, text.encode())


def _make_once(directory: Directory, path: Path, content: Callable[[], bytes]) -> None:
    if path.exists():
        return
    if directory.policy.exists():
        raise EnvironmentUnfit(
            f"{path} is gone: bring it back from a backup, a new one would not fit what was signed"
        )
    write_private(path, content())


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    return cast(ec.EllipticCurvePrivateKey, key)


def _read_or_empty(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _json(**members: str) -> bytes:
    return (json.dumps(members, indent=1) + "\n").encode()
