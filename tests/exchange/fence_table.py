"""The fence's table, as the operator is shown how to make it."""

from pathlib import Path
from typing import Any

from psycopg import Connection

from exchange.embedded.postgres_cluster import RUNTIME_ROLE

_EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "fence.sql"


def make_fence_table(superuser: Connection[Any]) -> None:
    """In the connection's database, for the embedded server's runtime role."""
    statements = _EXAMPLE.read_text().partition("\\connect haulproof_fence")[2]
    superuser.execute(statements.replace("TO haulproof_fence", f"TO {RUNTIME_ROLE}").encode())
