"""python-can's messages as frames: what its readers of log files hand out."""

import can

from firmware_sim.drives.model import OTHER_FRAMES, Frame, Tally
from firmware_sim.drives.times import UTC_UNTIL_NS

_DATA_BYTES_MAX = 8
_STANDARD_ID_MAX, _EXTENDED_ID_MAX = 0x7FF, 0x1FFF_FFFF
_US_NS = 1_000

PARSING_FAILED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What python-can's readers raise on lines and objects that do not follow the format."""


def frame_of(message: can.Message, begun_ns: int, tally: Tally) -> Frame | None:
    """A data frame, its stamp counted from ``begun_ns`` to the microsecond; None when it is none.

    What is left out or can't be read is counted.
    """
    if message.is_fd or message.is_remote_frame or message.is_error_frame:
        tally.leave_out(OTHER_FRAMES)
        return None
    highest = _EXTENDED_ID_MAX if message.is_extended_id else _STANDARD_ID_MAX
    if not 0 <= message.arbitration_id <= highest or len(message.data) > _DATA_BYTES_MAX:
        tally.unreadable += 1
        return None
    time_ns = begun_ns + round(message.timestamp * 1e6) * _US_NS
    if not 0 <= time_ns < UTC_UNTIL_NS:
        tally.untimed += 1
        return None
    channel = str(message.channel)
    extended = message.is_extended_id
    return Frame(time_ns, channel, message.arbitration_id, extended, bytes(message.data))
