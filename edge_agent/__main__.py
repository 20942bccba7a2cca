"""``python -m edge_agent``: the truck's process."""

import sys

ENVIRONMENT = 3


def _missing(name: str | None) -> int:
    sentence = f"it needs {name}, which is not installed: pip install 'haulproof[agent]'"
    print(f"edge_agent: {sentence}", file=sys.stderr)
    return ENVIRONMENT


if __name__ == "__main__":
    try:
        from edge_agent.cli import main
    except ModuleNotFoundError as missing:
        sys.exit(_missing(missing.name))
    sys.exit(main())
