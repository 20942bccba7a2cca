"""Arrays made in one go reach the server as the values that they were made of."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.store.arrays import Bigints, Byteas, Smallints, Texts


@pytest.fixture(scope="module")
def conn(postgres_server: Any) -> Any:
    with psycopg.connect(postgres_server.superuser_url, autocommit=True) as conn:
        yield conn


BIGINT = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.none() | BIGINT),
    st.lists(st.integers(-(2**15), 2**15 - 1)),
    st.lists(st.binary(max_size=40)),
    st.lists(TEXT, max_size=8),
)
def test_every_value_arrives(
    conn: psycopg.Connection[Any],
    bigints: list[int | None],
    smallints: list[int],
    byteas: list[bytes],
    texts: list[str],
) -> None:
    row = conn.execute(
        "SELECT %s, %s, %s, %s, pg_typeof(%s)::text",
        [Bigints(bigints), Smallints(smallints), Byteas(byteas), Texts(texts), Texts(texts)],
    ).fetchone()

    assert row == (bigints, smallints, byteas, texts, "text[]")
