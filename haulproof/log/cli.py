"""The words of ``haulproof log``: one module each, loaded when its word is called."""

import importlib
import sys
from collections.abc import Sequence

EXIT_DONE, EXIT_USAGE, EXIT_ENVIRONMENT = 0, 2, 3

WORDS: dict[str, tuple[str, str, str]] = {
    "proof": ("haulproof.log.proof", "exchange", "ask a log for a leaf, with its proof"),
    "recover": ("haulproof.log.recover", "exchange", "make a log whole again after a restore"),
    "export": ("haulproof.log.export", "exchange", "write an exchange's log into a directory"),
    "mirror": ("haulproof.log.mirror", "log", "keep a verified copy of a log in a directory"),
    "monitor": ("haulproof.log.monitor", "log", "follow a log and notice when it forks"),
    "witness": ("haulproof.log.witness.cli", "witness", "cosign the checkpoints of logs you know"),
}
"""Word to the module whose ``main(argv) -> int`` serves it, the extra that it needs, a summary."""


def main(argv: Sequence[str]) -> int:
    """Run one word; the exit code is that of DESIGN section 11."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_help())
        return EXIT_DONE if argv else EXIT_USAGE
    word, *rest = argv
    if word not in WORDS:
        return _refuse(f"there is no haulproof log {word}: see haulproof log --help", EXIT_USAGE)
    module, extra, _ = WORDS[word]
    try:
        code: int = importlib.import_module(module).main(rest)
    except ModuleNotFoundError as missing:
        return _refuse(
            f"haulproof log {word} needs {missing.name}, which is not installed: "
            f"pip install 'haulproof[{extra}]'",
            EXIT_ENVIRONMENT,
        )
    return code


def _refuse(sentence: str, code: int) -> int:
    print(f"haulproof: {sentence}", file=sys.stderr)
    return code


def _help() -> str:
    lines = [
        "usage: haulproof log WORD ...",
        "",
        "A log's other roles: publish it, copy it, watch over it.",
        "",
        *(f"  {word:<9}{summary}" for word, (_, _, summary) in WORDS.items()),
        "",
        "haulproof log WORD --help tells more, with examples.",
    ]
    return "\n".join(lines)
