"""/v1/log/…: the log asked by leaf hash, record digest and subject, each answer with its proof."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response
from psycopg import Connection
from pydantic import BaseModel, Field

from exchange.access.model import Form, NotSupported
from exchange.access.readable import Readable
from exchange.access.repository import record_reads
from exchange.api.auth import Authenticated
from exchange.api.bodies import Digest
from exchange.api.context import Context, Exchange
from exchange.api.pagination import ITEMS_DEFAULT, Cursor, Limit, cursor_at, index_of
from exchange.orgs.model import Caller
from exchange.transparency.leaf_lookup import enter_leaves, leaf_with_hash
from exchange.transparency.model import LeafRow, Published
from exchange.transparency.newest import NotInLog, newest
from exchange.transparency.proofs import (
    LeafProof,
    extends_receipt,
    leaf_receipt,
    leaf_tlog_proof,
    prove_extends,
    prove_leaves,
)
from exchange.transparency.readable import leaf_with_digest, leaves_about, reads_of
from exchange.witnesses.repository import newest_final
from ledger import tlog_proof
from ledger.receipt import MEDIA_TYPE as RECEIPT_TYPE
from schemas.limits import INT64_MAX, SUBJECT_CHARS_MAX, TIME_MS_MAX

router = APIRouter(prefix="/v1/log", tags=["log"])

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            RECEIPT_TYPE: {"schema": {"type": "string", "format": "binary"}},
            "text/plain": {"schema": {"type": "string"}},
        }
    }
}

ProofForm = Annotated[
    Literal["json", "receipt", "tlog-proof"],
    Query(description="receipt: RFC 9942, COSE. tlog-proof: C2SP, text."),
]
Subject = Annotated[
    str,
    Query(
        min_length=1,
        max_length=SUBJECT_CHARS_MAX,
        pattern=r"^[^\x00]*$",
        description="A vehicle's pseudonym, a device or an organisation.",
    ),
]


class LeafBody(BaseModel):
    """A leaf; hashes and digests in hexadecimal."""

    index: int
    kind: Annotated[int, Field(description="Of the statement, 1 to 255.")]
    digest: Annotated[str, Field(description="SHA-256 of the statement.")]
    leaf_hash: str
    path: Annotated[list[str], Field(description="To the checkpoint's root, sibling first.")]


class LeafAnswer(BaseModel):
    """A leaf with its proof; ``checkpoint`` is the signed note that it leads to."""

    leaf: LeafBody
    tree_size: int
    checkpoint: str


class SubjectLeafBody(LeafBody):
    """A leaf of a record about the subject."""

    organisation: Annotated[str, Field(description="The vehicle's carrier, or who signed it.")]


class SubjectAnswer(BaseModel):
    """Leaves by ascending index, each with its proof to the one checkpoint."""

    subject: str
    items: list[SubjectLeafBody]
    next_cursor: str | None
    tree_size: int
    checkpoint: str


class ConsistencyAnswer(BaseModel):
    """That the tree of ``older`` leaves is the beginning of the checkpoint's."""

    older: int
    tree_size: int
    path: list[str]
    checkpoint: str


@router.get(
    "/leaves/{leaf_hash}",
    summary="A leaf by its hash, with its proof",
    response_model=LeafAnswer,
    responses=_FORMS,
)
def leaf_by_hash(
    exchange: Context,
    leaf_hash: Annotated[Digest, Path(description="SHA-256 of 00 and the entry, hexadecimal.")],
    form: ProofForm = "json",
) -> Response:
    """Public: whoever reads the log's tiles sees as much."""
    with exchange.connection() as conn:
        enter_leaves(conn, newest(conn).size)
    with exchange.connection() as conn:
        checkpoint = newest(conn)
        leaf = leaf_with_hash(conn, bytes.fromhex(leaf_hash), checkpoint.size)
        return _answer(exchange, conn, checkpoint, leaf, form)


@router.get(
    "/records/{digest}",
    summary="The leaf of a record, with its proof",
    response_model=LeafAnswer,
    responses=_FORMS,
)
def leaf_by_digest(
    exchange: Context,
    digest: Annotated[Digest, Path(description="SHA-256 of the statement, hexadecimal.")],
    form: ProofForm = "json",
) -> Response:
    """Public, likewise: the first leaf, should a statement have several."""
    with exchange.connection() as conn:
        checkpoint = newest(conn)
        leaf = leaf_with_digest(conn, bytes.fromhex(digest), checkpoint.size)
        return _answer(exchange, conn, checkpoint, leaf, form)


@router.get("/records", summary="Leaves about a subject", response_model=SubjectAnswer)
def leaves_by_subject(
    exchange: Context,
    caller: Authenticated,
    subject: Subject,
    cursor: Cursor = None,
    limit: Limit = ITEMS_DEFAULT,
) -> SubjectAnswer:
    """What a grant opens of a vehicle, and what the caller's own organisation has signed."""
    first = index_of(cursor)
    with exchange.connection() as conn:
        checkpoint = newest(conn)
        now_ms = exchange.now_ms()
        found = leaves_about(conn, caller, now_ms, subject, first, checkpoint.size, limit + 1)
        more = cursor_at(found.pop().leaf.index) if len(found) > limit else None
        if not found:
            _refuse_closed(conn, caller, now_ms, subject)
        proofs = prove_leaves(conn, checkpoint, [one.leaf for one in found])
        record_reads(conn, reads_of(caller, subject, found))
    items = [
        SubjectLeafBody(**_leaf_body(proof).model_dump(), organisation=one.organisation)
        for proof, one in zip(proofs, found, strict=True)
    ]
    return SubjectAnswer(
        subject=subject,
        items=items,
        next_cursor=more,
        tree_size=checkpoint.size,
        checkpoint=checkpoint.note.decode(),
    )


@router.get(
    "/consistency",
    summary="That the log only grew",
    response_model=ConsistencyAnswer,
    responses=_FORMS,
)
def consistency(
    exchange: Context,
    older: Annotated[
        int, Query(ge=1, le=INT64_MAX, description="Leaves of a checkpoint that the caller has.")
    ],
    form: Annotated[Literal["json", "receipt"], Query(description="receipt: RFC 9942.")] = "json",
) -> Response:
    """Public: from the tree of an older checkpoint to the newest one's."""
    with exchange.connection() as conn:
        checkpoint = newest(conn)
        path = prove_extends(conn, checkpoint, older)
        if form == "receipt":
            receipt = extends_receipt(conn, checkpoint, older, path, exchange.log_vkey)
            return Response(receipt, media_type=RECEIPT_TYPE)
    return _json(
        ConsistencyAnswer(
            older=older,
            tree_size=checkpoint.size,
            path=_hex(path),
            checkpoint=checkpoint.note.decode(),
        )
    )


def _answer(
    exchange: Exchange,
    conn: Connection[Any],
    checkpoint: Published,
    leaf: LeafRow | None,
    form: str,
) -> Response:
    if leaf is None:
        raise NotInLog("No published checkpoint covers a leaf of it: check it, or ask again later.")
    if form == "receipt":
        (proof,) = prove_leaves(conn, checkpoint, [leaf])
        receipt = leaf_receipt(conn, checkpoint, proof, exchange.log_vkey)
        return Response(receipt, media_type=RECEIPT_TYPE)
    final = newest_final(conn)
    if final is not None and leaf.index < final.size:  # with its witnesses' cosignatures
        checkpoint = final
    (proof,) = prove_leaves(conn, checkpoint, [leaf])
    if form == "tlog-proof":
        return Response(leaf_tlog_proof(checkpoint, proof), media_type=tlog_proof.MEDIA_TYPE)
    return _json(
        LeafAnswer(
            leaf=_leaf_body(proof), tree_size=checkpoint.size, checkpoint=checkpoint.note.decode()
        )
    )


def _refuse_closed(conn: Connection[Any], caller: Caller, now_ms: int, subject: str) -> None:
    """An empty list must not hide that a vehicle is closed to the caller."""
    readable = Readable(caller, Form.SHAPED, now_ms)
    if subject == caller.organisation or caller.organisation in readable.owners(
        conn, subject, None
    ):
        return
    # The whole of time, turned around, is what every window overlaps (see ``trips.endpoints``).
    refusal = readable.why_not(conn, None, subject, TIME_MS_MAX, 0)
    if not isinstance(refusal, NotSupported):
        raise refusal


def _leaf_body(proof: LeafProof) -> LeafBody:
    leaf = proof.leaf
    return LeafBody(
        index=leaf.index,
        kind=leaf.kind,
        digest=leaf.digest.hex(),
        leaf_hash=leaf.hash.hex(),
        path=_hex(proof.path),
    )


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [item.hex() for item in hashes]


def _json(body: BaseModel) -> JSONResponse:
    return JSONResponse(body.model_dump())
