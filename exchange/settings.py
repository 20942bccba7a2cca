"""Settings: the command line's, then ``HAULPROOF_*``, then the TOML file's, then defaults."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from psycopg import ProgrammingError, conninfo
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from exchange.broker_address import mqtt_address, nats_address
from exchange.exits import EnvironmentUnfit, WrongUsage
from exchange.log_keys import TokenPlace
from schemas.names import is_name

ENVIRONMENT_PREFIX = "HAULPROOF_"


def _organisation_name(name: str) -> str:
    if not is_name(name):
        raise ValueError("a name has lower-case letters, digits and hyphens, at most 63")
    return name


def _origin(origin: str) -> str:
    if (
        not 0 < len(origin) <= 200
        or not origin.isascii()
        or set(origin) & set("+ ")
        or (not origin.isprintable())
    ):
        raise ValueError("an origin is like example.com/log: printable ASCII, no space, no plus")
    return origin


def _mqtt_url(url: str) -> str:
    if url:
        mqtt_address(url)
    return url


def _nats_url(url: str) -> str:
    if url:
        nats_address(url)
    return url


def _postgres_url(url: str) -> str:
    """Judged here: libpq's own words for a wrong URL repeat it, password and all."""
    try:
        conninfo.conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError("a URL is like postgresql://user:password@host/database") from None
    return url


Origin = Annotated[str, AfterValidator(_origin)]
MqttUrl = Annotated[str, AfterValidator(_mqtt_url)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]
NatsUrl = Annotated[str, AfterValidator(_nats_url)]
Port = Annotated[int, Field(ge=0, le=65535)]
OrganisationName = Annotated[str, AfterValidator(_organisation_name)]


class Settings(BaseSettings):
    """What one exchange is told; every process of it gets the same. Times have their unit named."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    dir: Path = Path("haulproof-data")
    """The exchange's directory: keys, certificates, fence, ports, logs and embedded data."""
    origin: Origin | None = None
    """The log's origin, only read at the first start; made then when not given."""
    organisation: OrganisationName = "exchange"
    """The exchange's own organisation, which signs what it derives."""

    log_token_module: Path | None = None
    """A PKCS#11 library: the log's Ed25519 key is in a token; none: in a file of the directory."""
    log_token: str = ""
    """The token's label."""
    log_token_key: str = "haulproof-log"  # noqa: S105 - a label
    """The key's label; the key is made at the first start when there is none."""
    log_token_pin_file: Path | None = None
    """A file of mode 0600 with the token's user PIN."""

    database_url: str = Field(default="", repr=False)
    """libpq URL of the runtime role; empty: the embedded PostgreSQL."""
    database_migration_url: str = Field(default="", repr=False)
    """libpq URL of the role that owns the schema and grants; empty: ``database_url``'s does."""

    fence_url: PostgresUrl = Field(default="", repr=False)
    """libpq URL of another PostgreSQL that holds the fence; empty: a file in the directory."""

    nats_url: NatsUrl = ""
    """``nats://`` or ``tls://`` URL of a NATS; empty, as ``mqtt_url``: the embedded NATS."""
    nats_user: str = ""
    nats_password: str = Field(default="", repr=False)
    nats_ca_file: Path | None = None
    """Authorities for ``tls://``; none: the system's."""
    nats_callout: bool = False
    """We answer this NATS's auth callout, as the users that ``broker config`` puts in its file."""

    mqtt_url: MqttUrl = ""
    """``mqtts://`` URL of any MQTT 3.1.1 broker (``mqtt://`` on loopback), instead of NATS."""
    mqtt_user: str = "exchange"
    mqtt_password: str = Field(default="", repr=False)
    """Empty: the one in the directory, which ``broker mosquitto`` writes to the password file."""
    mqtt_ca_file: Path | None = None
    """The authority that a broker of yours is known by, also to agents; none: the directory's."""
    agents_url: MqttUrl = ""
    """``mqtts://`` URL that agents are told, where the broker is yours and theirs differs."""

    api_host: str = "127.0.0.1"
    api_port: Port = 0
    """0: chosen at the first start and kept in the directory; likewise the other ports."""
    mqtt_host: str = "127.0.0.1"
    mqtt_port: Port = 0
    nats_port: Port = 0
    public_host: str | None = None
    """The name by which agents and readers reach this machine; none: the listening address."""
    server_names: tuple[str, ...] = ()
    """More DNS names and addresses for the server certificate."""

    intake_workers: int = Field(default=2, ge=1, le=64)
    batch_messages_max: int = Field(default=2_000, ge=1, le=10_000)
    batch_age_ms: int = Field(default=50, ge=1, le=10_000)
    checkpoint_interval_ms: int = Field(default=100, ge=10, le=60_000)
    witness_policy_file: Path | None = None
    """C2SP tlog-policy: who is asked to cosign, where, and whose word makes a checkpoint final."""
    witness_interval_ms: int = Field(default=1_000, ge=1_000, le=3_600_000)
    """From one round of asking to the next."""
    witness_timeout_ms: int = Field(default=5_000, ge=100, le=60_000)
    """How long a round waits for a quorum."""
    witness_wait_ms: int = Field(default=250, ge=0, le=60_000)
    """How long a round waits for more cosignatures once it has the quorum."""
    ack_interval_s: int = Field(default=0, ge=0, le=86_400)
    """The link's acknowledgement interval that devices are told and intake keeps to."""
    stream_bytes_max: int = Field(default=1_000_000_000, ge=10_000_000)
    """Most bytes that the broker keeps for intake; beyond it the broker refuses new messages."""
    stream_messages_max: int = Field(default=100_000, ge=1_000)
    """Most messages, likewise: so many that intake commits them in well under a minute."""
    device_messages_max: int = Field(default=32, ge=8)
    """Most messages of one device, likewise."""
    device_messages_per_s: float = Field(default=20, ge=0, le=1_000_000)
    """Quota of a device, in force while messages of others wait; 0: none."""
    carrier_messages_per_s: float = Field(default=2_500, ge=0, le=1_000_000)
    """Quota of a carrier, in force while messages of other carriers wait; 0: none."""

    @property
    def answers_callout(self) -> bool:
        """Whether a process of ours tells the broker who a device is."""
        return not self.mqtt_url and (not self.nats_url or self.nats_callout)

    @property
    def migration_url(self) -> str:
        """libpq URL of the role that owns the schema."""
        return self.database_migration_url or self.database_url

    @property
    def token_place(self) -> TokenPlace | None:
        """Where the log's Ed25519 key is, when it is in a token."""
        if self.log_token_module is None or self.log_token_pin_file is None:
            return None
        return TokenPlace(
            self.log_token_module, self.log_token, self.log_token_key, self.log_token_pin_file
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.nats_url and self.mqtt_url:
            raise ValueError("nats_url and mqtt_url name two brokers: remove one of them")
        if self.database_migration_url and not self.database_url:
            raise ValueError("database_migration_url needs database_url, that of the runtime role")
        token = (self.log_token_module, self.log_token, self.log_token_pin_file)
        if any(token) and not all(token):
            raise ValueError(
                "log_token_module, log_token and log_token_pin_file go together: set all or none"
            )
        return self

    @property
    def api_address(self) -> str:
        """The host that readers are told."""
        return self.public_host or self.api_host

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line and environment only; ``load_settings`` puts the file between them."""
        return init_settings, env_settings


def load_settings(config: Path | None = None, **given: Any) -> Settings:
    """Read the settings; ``given`` are the command line's, those that are None don't count.

    Raises ``WrongUsage`` (a sentence naming the setting) for a wrong file or value.
    """
    from_file = _read_toml(config) if config is not None else {}
    told = {name: value for name, value in given.items() if value is not None}

    class _WithFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, from_file)

    try:
        loaded = _WithFile(**told)
    except ValidationError as error:
        raise WrongUsage(_sentence(error)) from None
    return Settings.model_construct(**dict(loaded))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongUsage(f"there is no settings file {path}: check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"the settings file {path} is not TOML: {error}") from None
    except OSError as error:
        raise EnvironmentUnfit(
            f"the settings file {path} cannot be read: {error.strerror}"
        ) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no setting {name}: remove it from the settings file"
    if not name:
        return str(first["msg"]).removeprefix("Value error, ")
    return f"the setting {name} is wrong: {first['msg'].removeprefix('Value error, ')}"
