"""The committed OpenAPI document is what the app says of itself, and what it does."""

import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings

from exchange.api.app import assemble
from exchange.api.document import COMMITTED, text_of
from exchange.api.quota import Quota
from tests.exchange.api.conftest import Settled

DOCUMENT: dict[str, Any] = json.loads(COMMITTED.read_text())
schema = schemathesis.openapi.from_dict(DOCUMENT)


def test_the_committed_document_is_the_apps() -> None:
    assert COMMITTED.read_text() == text_of(assemble(Quota())), (
        "the API changed: look at the difference that python -m exchange.api makes"
    )


def test_the_document_says_how_to_authenticate_and_what_a_problem_is() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    scheme = DOCUMENT["components"]["securitySchemes"]["client-credentials"]
    assert scheme["flows"]["clientCredentials"]["tokenUrl"] == "/oauth/token"
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"], path


@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_the_exchange_fail(case: schemathesis.Case[Any], settled: Settled) -> None:
    answer = case.call(base_url=str(settled.world.http.base_url), headers=settled.acme.headers)

    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and case.path != "/oauth/token":
        assert answer.headers["content-type"][0].startswith("application/problem+json")
