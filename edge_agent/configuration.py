"""What can be configured on the truck: ``agent.toml`` in the agent's folder, all of it optional."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from edge_agent.open_segment import SAMPLES_DEFAULT
from schemas.limits import SAMPLES_MAX

CONFIGURATION_FILE = "agent.toml"
SYSTEM_CLOCK, SOURCE_CLOCK = "system", "source"

_FILE_BYTES_MAX = 65_536


class ConfigurationRefused(Exception):
    """``agent.toml`` cannot be used; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """``can`` and ``nmea`` are addresses of sources; ``_s`` is seconds."""

    can: tuple[str, ...] = ()
    nmea: tuple[str, ...] = ()
    clock: str = SYSTEM_CLOCK
    segment_samples: int = SAMPLES_DEFAULT
    unsent_megabytes: int = 512
    resend_after_s: float = 30.0
    drain_timeout_s: float = 120.0


_TYPES: Mapping[str, tuple[type, ...]] = {
    "can": (list,),
    "nmea": (list,),
    "clock": (str,),
    "segment_samples": (int,),
    "unsent_megabytes": (int,),
    "resend_after_s": (int, float),
    "drain_timeout_s": (int, float),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "segment_samples": (1, SAMPLES_MAX),
    "unsent_megabytes": (1, 1 << 20),
    "resend_after_s": (0, 86_400),
    "drain_timeout_s": (0, 86_400),
}


def read_configuration(folder: Path, overrides: Mapping[str, Any]) -> Configuration:
    """The folder's ``agent.toml``, if there is one, with command-line values over it."""
    path = folder / CONFIGURATION_FILE
    try:
        with path.open("rb") as file:
            document = tomllib.loads(file.read(_FILE_BYTES_MAX).decode("utf-8"))
    except FileNotFoundError:
        document = {}
    except OSError as error:
        raise ConfigurationRefused(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationRefused(f"{path} is no TOML: {error}") from None
    given = {key: value for key, value in overrides.items() if value is not None}
    return _over(_over(Configuration(), document, str(path)), given, "the command line")


def _over(base: Configuration, values: Mapping[str, Any], where: str) -> Configuration:
    known = {field.name for field in fields(Configuration)}
    for key, value in values.items():
        if key not in known:
            raise ConfigurationRefused(f"{where}: {key} is not one of {', '.join(sorted(known))}")
        if isinstance(value, bool) or not isinstance(value, _TYPES[key]):
            raise ConfigurationRefused(f"{where}: {key} has a value of the wrong type")
        low, high = _RANGES.get(key, (0, 0))
        if key in _RANGES and not low <= float(str(value)) <= high:
            raise ConfigurationRefused(f"{where}: {key} is not from {low:g} to {high:g}")
    lists = {key: tuple(values[key]) for key in ("can", "nmea") if key in values}
    if any(not isinstance(url, str) for urls in lists.values() for url in urls):
        raise ConfigurationRefused(f"{where}: can and nmea are lists of addresses")
    configuration = replace(base, **{**values, **lists})
    if configuration.clock not in (SYSTEM_CLOCK, SOURCE_CLOCK):
        raise ConfigurationRefused(f"{where}: clock is {SYSTEM_CLOCK} or {SOURCE_CLOCK}")
    return configuration
