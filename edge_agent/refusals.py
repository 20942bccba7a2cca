"""Refusals: the exchange does not take certain bytes, for ever or for now, and signs that."""

from collections.abc import Sequence

from schemas.cose import sign1
from schemas.cose.keys import PublicKey
from schemas.errors import Reason, StatementRefused
from schemas.kinds import REFUSAL_TYPE
from schemas.wire import refusal as wire
from schemas.wire.refusal import Refusal


def verified_refusal(
    message: bytes, keys: Sequence[PublicKey], origin: str, device: str
) -> Refusal:
    """The refusal in a message, signed by one of the exchange's keys from the enrolment.

    ``device`` is our issuer text, which the refusal has to name. ``StatementRefused`` otherwise.
    """
    statement = sign1.parse(message)
    header = statement.header
    if header.type != REFUSAL_TYPE:
        raise StatementRefused(Reason.WRONG_TYPE, "not a refusal")
    if header.origin != origin:
        raise StatementRefused(Reason.WRONG_ORIGIN, "a refusal of another log")
    if header.subject != device:
        raise StatementRefused(Reason.WRONG_TOPIC, "a refusal for another device")
    key = next((key for key in keys if key.kid == header.kid), None)
    if key is None:
        raise StatementRefused(Reason.UNKNOWN_KEY, "a refusal by a key that is not enrolled")
    sign1.verify(statement, key)
    return wire.decode(statement.payload)
