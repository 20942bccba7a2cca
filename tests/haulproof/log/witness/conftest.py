"""What is compared with other people's programs is left out where they are not."""

from pathlib import Path

AICS = Path(__file__).parents[4] / ".aics"

collect_ignore = [] if (AICS / "made-from").exists() else ["test_aics.py"]
