"""The one place that says what a caller may read.

A read wraps its rows, which have the columns ``index, carrier, vehicle, start_ms, end_ms``
(segments ``driver_class`` too), with ``Readable.of``: what comes out is what the caller may see,
each row with the grant that opened it (``grant_index``, None for the carrier's own) and how far it
is open (``open_precision``, ``open_fields``). ``why_not`` holds the same rules against
each grant, so that a refusal names its cause and the two can't disagree.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from exchange.access.model import Form, Judged, NotReadable, refusal_of
from exchange.grants.model import PURPOSES_OF_ROLE
from exchange.orgs.model import Caller

PRECISION_EXACT = 2

_COVERS_VEHICLE = sql.SQL("(g.vehicles @> ARRAY['*'] OR g.vehicles @> ARRAY[r.vehicle])")
_FOR_READER = sql.SQL("g.grantee = %(reader)s AND g.purpose = ANY(%(purposes)s::text[])")
_REVOKED = sql.SQL("(g.revoked_index IS NOT NULL)")
_EXPIRED = sql.SQL("(g.expires_ms <= %(now_ms)s)")
_IN_WINDOW = sql.SQL(
    "(g.window_from_ms <= r.start_ms AND (g.window_to_ms IS NULL OR r.end_ms <= g.window_to_ms))"
)
_FORM_ALLOWED = {
    Form.SHAPED: sql.SQL("true"),
    Form.SIGNED: sql.SQL("(g.precision = 2 AND g.fields IS NULL)"),
    Form.SEGMENTS: sql.SQL("(g.precision = 2 AND g.identity AND g.fields IS NULL)"),
}

_ROW_ALLOWED = {
    Form.SHAPED: sql.SQL("true"),
    Form.SIGNED: sql.SQL("true"),
    Form.SEGMENTS: sql.SQL("(NOT r.driver_class OR %(role)s = 'regulator')"),
}
"""Driver-class segments go to carrier and regulator alone (DESIGN section 7)."""

_READABLE = sql.SQL(
    """
    SELECT r.*, via.grant_index, via.open_precision, via.open_fields
    FROM ({rows}) r CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT NULL::bigint AS grant_index, 2::smallint AS open_precision,
                   NULL::text[] AS open_fields
            WHERE r.carrier = %(reader)s
            UNION ALL
            SELECT g.index, g.precision, g.fields FROM grant_record g
            WHERE {for_reader} AND g.carrier = r.carrier AND {covers_vehicle}
              AND NOT {revoked} AND NOT {expired} AND {in_window} AND {form_allowed}
              AND {row_allowed}
        ) opened
        ORDER BY grant_index IS NOT NULL, open_precision DESC, open_fields IS NOT NULL, grant_index
        LIMIT 1
    ) via
    """
)

_WHY_NOT = sql.SQL(
    """
    SELECT {revoked} AS revoked, {expired} AS expired,
           {in_window} AS in_window, {form_allowed} AS form_allowed
    FROM (SELECT %(vehicle)s::text AS vehicle, %(start_ms)s::bigint AS start_ms,
                 %(end_ms)s::bigint AS end_ms) r
    JOIN grant_record g ON {for_reader} AND {covers_vehicle}
     AND (%(carrier)s::text IS NULL OR g.carrier = %(carrier)s)
    """
)

_ASKED = sql.SQL(
    """
    SELECT %(carrier)s::text AS carrier, %(vehicle)s::text AS vehicle,
           %(start_ms)s::bigint AS start_ms, %(end_ms)s::bigint AS end_ms, false AS driver_class
    """
)

_OWNERS = sql.SQL(
    """
    SELECT DISTINCT r.carrier FROM binding r
    WHERE r.vehicle = %(vehicle)s AND (%(carrier)s::text IS NULL OR r.carrier = %(carrier)s)
      AND (r.carrier = %(reader)s OR EXISTS (
        SELECT FROM grant_record g
        WHERE {for_reader} AND g.carrier = r.carrier AND {covers_vehicle}))
    ORDER BY r.carrier
    """
)


@dataclass(frozen=True, slots=True)
class Readable:
    """What one reader may read now, in one form."""

    reader: Caller
    form: Form
    now_ms: int

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of every query built here, by name; the rows' own go beside them."""
        return {
            "reader": self.reader.organisation,
            "purposes": [str(purpose) for purpose in PURPOSES_OF_ROLE[self.reader.role]],
            "role": str(self.reader.role),
            "now_ms": self.now_ms,
        }

    def of(self, rows: sql.Composable) -> sql.Composed:
        """The rows that may be read, in no order; wrap once more to sort and limit."""
        return _READABLE.format(
            rows=rows,
            form_allowed=_FORM_ALLOWED[self.form],
            row_allowed=_ROW_ALLOWED[self.form],
            **_RULES,
        )

    def owners(self, conn: Connection[Any], vehicle: str, carrier: str | None) -> list[str]:
        """Whose vehicle the reader may mean: its own, or one that it ever had a grant for."""
        rows = conn.execute(
            _OWNERS.format(for_reader=_FOR_READER, covers_vehicle=_COVERS_VEHICLE),
            {**self.params, "vehicle": vehicle, "carrier": carrier},
        )
        return [row[0] for row in rows]

    def allows(
        self, conn: Connection[Any], carrier: str, vehicle: str, start_ms: int, end_ms: int
    ) -> bool:
        """Whether the whole time from ``start_ms`` to ``end_ms`` of the vehicle may be read."""
        asked = {"carrier": carrier, "vehicle": vehicle, "start_ms": start_ms, "end_ms": end_ms}
        return conn.execute(self.of(_ASKED), {**self.params, **asked}).fetchone() is not None

    def why_not(
        self, conn: Connection[Any], carrier: str | None, vehicle: str, start_ms: int, end_ms: int
    ) -> NotReadable:
        """Why the time from ``start_ms`` to ``end_ms`` of this vehicle can't be read."""
        with conn.cursor(row_factory=class_row(Judged)) as cursor:
            cursor.execute(
                _WHY_NOT.format(form_allowed=_FORM_ALLOWED[self.form], **_RULES),
                {
                    **self.params,
                    "carrier": carrier,
                    "vehicle": vehicle,
                    "start_ms": start_ms,
                    "end_ms": end_ms,
                },
            )
            return refusal_of(cursor.fetchall(), vehicle, self.form)


_RULES: dict[str, sql.Composable] = {
    "for_reader": _FOR_READER,
    "covers_vehicle": _COVERS_VEHICLE,
    "revoked": _REVOKED,
    "expired": _EXPIRED,
    "in_window": _IN_WINDOW,
}
