"""A real nats-server with an MQTT listener over TLS, for tests of the truck's side."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CARRIER, DEVICE = "acme", "dev-1"
PASSWORD = "correct horse"
_START_S = 20.0


@dataclass
class Broker:
    """A real nats-server with an MQTT listener over TLS; ``stop`` and ``start`` keep its ports."""

    folder: Path
    nats_port: int
    mqtt_port: int
    ca_pem: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(sys.executable).parent / "nats-server"
        with (self.folder / "nats.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, "-c", self.folder / "nats.json"], stdout=log, stderr=log
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def make_broker(folder: Path) -> Broker:
    """Certificates, ports and configuration of a broker that is not started yet."""
    ca_pem, certificate, key = _certificates()
    (folder / "server.pem").write_bytes(certificate)
    (folder / "server.key").write_bytes(key)
    broker = Broker(folder, free_port(), free_port(), ca_pem)
    configuration = {
        "server_name": "test",
        "host": "127.0.0.1",
        "port": broker.nats_port,
        "jetstream": {"store_dir": str(folder / "jetstream")},
        "mqtt": {
            "host": "127.0.0.1",
            "port": broker.mqtt_port,
            "tls": {
                "cert_file": str(folder / "server.pem"),
                "key_file": str(folder / "server.key"),
            },
        },
        "authorization": {
            "users": [
                {"user": f"{CARRIER}/{DEVICE}", "password": PASSWORD},
                {"user": "exchange", "password": PASSWORD},
            ]
        },
    }
    (folder / "nats.json").write_text(json.dumps(configuration))
    return broker


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def until_listening(port: int) -> None:
    """Wait until something accepts connections at a port of loopback."""
    async with asyncio.timeout(_START_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


def _certificates() -> tuple[str, bytes, bytes]:
    """A CA (PEM), and a server's certificate and key for 127.0.0.1."""
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def certificate(public: ec.EllipticCurvePublicKey, ca: bool) -> x509.Certificate:
        subject = name if ca else x509.Name([])
        key_id = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(key_id, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
        )
        if ca:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            address = x509.IPAddress(IPv4Address("127.0.0.1"))
            names = x509.SubjectAlternativeName([address])
            builder = builder.add_extension(names, critical=True)
        return builder.sign(ca_key, hashes.SHA256())

    ca_pem = certificate(ca_key.public_key(), True).public_bytes(serialization.Encoding.PEM)
    ssl.create_default_context(cadata=ca_pem.decode())
    return (
        ca_pem.decode(),
        certificate(key.public_key(), False).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
