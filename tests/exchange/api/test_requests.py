"""How requests are bounded, repeated, counted and refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from exchange.api.pagination import CursorRefused, cursor_at, index_of
from exchange.api.problems import REFUSALS, problem_of
from exchange.api.quota import OverQuota, Quota
from exchange.errors import ExchangeRefusal
from schemas.cose.keys import SoftwareSigner
from tests.exchange.api.conftest import Settled
from tests.exchange.world import World


def test_a_repeated_post_has_its_first_answer_secret_included(world: World) -> None:
    body = world.admission("acme", "carrier", SoftwareSigner.generate())
    headers = {**world.operator.headers, "Idempotency-Key": '"k-1"'}
    answers = [world.http.post("/v1/orgs", json=body, headers=headers) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    with world.exchange.connection() as conn:
        rows = conn.execute("SELECT sealed_answer FROM idempotency").fetchall()
    assert len(rows) == 1
    assert answers[0].json()["client_secret"].encode() not in bytes(rows[0][0])


def test_requests_at_once_with_one_key_do_it_once(world: World) -> None:
    body = world.admission("acme", "carrier", SoftwareSigner.generate())
    headers = {**world.operator.headers, "Idempotency-Key": "k-1"}

    def post(_: int) -> str:
        return world.http.post("/v1/orgs", json=body, headers=headers).text

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(post, range(4)))) == 1


def test_a_key_with_another_body_is_refused(world: World) -> None:
    headers = {**world.operator.headers, "Idempotency-Key": "k-1"}
    slugs = []
    for name in ("acme", "rival"):
        body = world.admission(name, "carrier", SoftwareSigner.generate())
        answer = world.http.post("/v1/orgs", json=body, headers=headers)
        slugs.append(answer.json().get("type"))

    assert slugs == [None, "urn:haulproof:problem:idempotency-key-reused"]


def test_what_was_refused_may_be_tried_again_with_the_same_key(world: World) -> None:
    acme = world.admit("acme", "carrier")
    headers = {**acme.headers, "Idempotency-Key": "k-1"}
    body = {"statement": world.grant_statement(acme, "insurer-x")}
    refused = world.http.post("/v1/grants", json=body, headers=headers)
    world.admit("insurer-x", "insurer")

    assert refused.status_code == 422
    assert world.http.post("/v1/grants", json=body, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("DELETE", "/v1/trips", 405, "method-not-allowed"),
        ("GET", "/v1/trips?limit=0", 422, "invalid-request"),
        ("GET", "/v1/trips?from=yesterday", 422, "invalid-request"),
        ("GET", "/v1/trips?from=1969-01-01T00:00:00Z", 422, "invalid-request"),
        ("GET", "/v1/trips?from=2026-01-01", 422, "invalid-request"),
        ("GET", "/v1/trips?to=2026-01-01T08:00:00", 422, "invalid-request"),
        ("GET", "/v1/trips?to=9999-12-31T23:59:59-12:00", 422, "invalid-request"),
        ("GET", "/v1/trips?from=1767254400", 422, "invalid-request"),
        ("GET", "/v1/trips?vehicle=%00", 422, "invalid-request"),
        ("GET", "/v1/trips?cursor=abc", 422, "invalid-request"),
        ("GET", "/v1/feed?cursor=99999999999999999999", 422, "invalid-request"),
        ("GET", "/v1/trips/zz", 422, "invalid-request"),
        ("GET", "/v1/segments/evidence?vehicle=v-1", 422, "invalid-request"),
        ("GET", "/log/tile/0/999", 404, "not-found"),
        ("GET", "/log/tile/../../etc/passwd", 404, "not-found"),
    ],
)
def test_wrong_requests_are_problems(
    settled: Settled, method: str, path: str, status: int, slug: str
) -> None:
    answer = settled.world.http.request(method, path, headers=settled.acme.headers)

    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    assert answer.json()["type"] == f"urn:haulproof:problem:{slug}"


def test_an_invalid_part_is_pointed_at(settled: Settled) -> None:
    body = {"name": "Upper", "role": "carrier", "cose_key": "zz"}
    answer = settled.world.http.post("/v1/orgs", json=body, headers=settled.world.operator.headers)

    pointers = [part["pointer"] for part in answer.json()["errors"]]
    assert pointers == ["/body/name", "/body/cose_key", "/body/proof"]


def test_a_body_beyond_the_limit_is_refused(settled: Settled) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b"{", *([b" " * 50_000] * 6)]

    for content in (b"{" + b" " * 300_000, chunks()):
        answer = settled.world.http.post(
            "/v1/grants", content=content, headers=settled.acme.headers
        )
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:haulproof:problem:body-too-large"


def test_answers_tell_what_is_left_of_the_quota(settled: Settled) -> None:
    answer = settled.world.http.get("/v1/feed", headers=settled.acme.headers)

    assert answer.headers["ratelimit-policy"] == '"client";q=6000;w=60'
    assert answer.headers["ratelimit"].startswith('"client";r=')


def test_a_quota_is_used_up_and_comes_back_with_the_next_window() -> None:
    quota = Quota(requests_max=2, window_s=10)
    assert [quota.take("a", 0.0).remaining, quota.take("a", 4.0).remaining] == [1, 0]
    with pytest.raises(OverQuota) as refused:
        quota.take("a", 4.5)

    assert refused.value.retry_after_s == 6
    assert quota.take("b", 4.5).remaining == 1
    assert quota.take("a", 10.0).remaining == 1


def test_over_quota_says_when_to_come_again(
    settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled.world.exchange.quota, "requests_max", 0)
    answer = settled.world.http.get("/v1/feed", headers=settled.acme.headers)

    assert (answer.status_code, answer.json()["type"]) == (429, "urn:haulproof:problem:over-quota")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_cursors_are_those_that_were_given() -> None:
    assert [index_of(None), index_of(cursor_at(17))] == [0, 17]
    for text in ("", "-1", "1.0", " 1", "9" * 20, "１"):
        with pytest.raises(CursorRefused):
            index_of(text)


def test_every_refusal_has_its_problem() -> None:
    def all_kinds(kind: type[ExchangeRefusal]) -> list[type[ExchangeRefusal]]:
        below = [found for one in kind.__subclasses__() for found in all_kinds(one)]
        return [*kind.__subclasses__(), *below]

    leaves = [kind for kind in all_kinds(ExchangeRefusal) if not kind.__subclasses__()]
    assert set(leaves) <= set(REFUSALS)
    assert problem_of(OverQuota(1)).status == 429


def test_a_database_that_is_away_means_try_again(own_world: World) -> None:
    world = own_world
    acme = world.admit("acme", "carrier")
    world.exchange.pool.close()
    for path in ("/v1/trips", "/healthz"):
        answer = world.http.get(path, headers=acme.headers)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:haulproof:problem:busy")
        assert answer.headers["retry-after"] == "1"
