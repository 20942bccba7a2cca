"""The README's shell blocks, so that what it says is what is tested."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks_of(section: str) -> list[list[str]]:
    """The commands of each shell block in a section, in order."""
    text = README.read_text(encoding="utf-8")
    start = text.index(f"## {section}\n")
    end = text.find("\n## ", start + 1)
    found = _BLOCK.findall(text[start : end if end > 0 else len(text)])
    return [block.strip().splitlines() for block in found]


def commands_of(section: str) -> list[str]:
    """Every ``haulproof`` command of a section, in order."""
    lines = [line for block in blocks_of(section) for line in block]
    return [line for line in lines if line.startswith("haulproof ")]
