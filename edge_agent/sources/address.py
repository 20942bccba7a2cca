"""Addresses of sources, as given on the command line or in agent.toml."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from can.interfaces import VALID_INTERFACES

from edge_agent.sources.can_bus import CanBusSource
from edge_agent.sources.nmea_line import NmeaSource
from edge_agent.sources.port import EndMark, Source, SourceUrlRefused
from edge_agent.sources.socketcand import SocketcandSource

_CAN_FORMS = (
    "socketcand://host:port/channel, socketcan:can0 or another python-can interface:channel"
)
_NMEA_FORMS = "tcp://host:port or serial:/dev/ttyUSB0?baud=9600"
_OPTIONS: dict[str, Callable[[str], object]] = {"bitrate": int, "port": int}


def can_source(url: str, end: EndMark, stamp: Callable[[], float] | None) -> Source:
    """The bus at an address; ``SourceUrlRefused`` says which forms there are."""
    if url.startswith("socketcand://"):
        host, port = _host_and_port(url, _CAN_FORMS)
        channel = urlsplit(url).path.strip("/")
        if not channel or not channel.isalnum():
            raise SourceUrlRefused(f"{url} names no bus; write {_CAN_FORMS}")
        return SocketcandSource(host, port, channel, end, stamp)
    interface, colon, rest = url.partition(":")
    channel, _, query = rest.partition("?")
    if not colon or not channel or interface not in VALID_INTERFACES:
        raise SourceUrlRefused(f"{url} is no bus; write {_CAN_FORMS}")
    try:
        options = {key: _OPTIONS[key](value) for key, value in parse_qsl(query)}
    except (KeyError, ValueError):
        known = ", ".join(_OPTIONS)
        raise SourceUrlRefused(f"{url}: the options of a bus are {known}") from None
    return CanBusSource(interface, channel, end, stamp, **options)


def nmea_source(url: str, end: EndMark, stamp: Callable[[], float], replayed: bool) -> Source:
    """The receiver at an address; ``SourceUrlRefused`` says which forms there are."""
    if url.startswith("tcp://"):
        return NmeaSource(_host_and_port(url, _NMEA_FORMS), end, stamp, replayed)
    scheme, _, rest = url.partition(":")
    path, _, query = rest.partition("?")
    baud = dict(parse_qsl(query)).get("baud", "9600")
    if scheme != "serial" or not path.startswith("/") or not baud.isdigit():
        raise SourceUrlRefused(f"{url} is no receiver; write {_NMEA_FORMS}")
    return NmeaSource(path, end, stamp, replayed, int(baud))


def _host_and_port(url: str, forms: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise SourceUrlRefused(f"{url} lacks host or port; write {forms}")
    return host, port
