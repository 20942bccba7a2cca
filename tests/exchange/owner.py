"""The owner's way into a test's database: for what the exchange's own role may not do."""

from exchange.directory import Directory
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.postgres_cluster import DATABASE


def owner_url(directory: Directory, url: str) -> str:
    """libpq URL of the schema's owner in the database of another URL."""
    name = url.partition("@/")[2].partition("?")[0]
    return EmbeddedPostgres(directory).migration_url.replace(f"@/{DATABASE}?", f"@/{name}?")
