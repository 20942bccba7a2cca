"""Which witnesses of a policy cosigned a checkpoint: for a log that asks, and for a reader."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.cosignature import verify_cosignature
from ledger.note import NoteRefused, NoteSignature, SignedNote, VKey, format_lines, parse_note


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What a note's lines say of the witnesses in question, by their names in the policy."""

    times_s: dict[str, int]
    """POSIX time of each witness's newest cosignature."""
    refused: dict[str, str]
    """Witnesses whose lines are there and do not verify, and why."""


def cosigned_by(note: SignedNote, witnesses: Mapping[str, VKey]) -> Cosigned:
    """Verify the lines of these witnesses; lines of others are ignored.

    A time of zero says nothing of when a checkpoint was seen, so that no witness may give it.
    """
    found = Cosigned({}, {})
    present = {(line.name, line.key_id) for line in note.signatures}
    for name, key in witnesses.items():
        if (key.name, key.key_id) not in present:
            continue
        try:
            time_s = verify_cosignature(note, key)
        except NoteRefused as refused:
            found.refused[name] = str(refused)
            continue
        if time_s:
            found.times_s[name] = time_s
        else:
            found.refused[name] = "a witness's cosignature has a time"
    return found


def lines_in_answer(
    note: bytes, answer: bytes, witnesses: Mapping[str, VKey]
) -> dict[str, NoteSignature]:
    """A line for each of these witnesses whose cosignature of ``note`` is in an answer.

    ``NoteRefused`` when the answer is no signature lines, or one of a witness's does not verify.
    """
    signed = parse_note(note)
    with_answer = parse_note(note + answer)
    if with_answer.text != signed.text:
        raise NoteRefused("the answer is more than signature lines")
    lines = with_answer.signatures[len(signed.signatures) :]
    answered = SignedNote(signed.text, lines)
    found = cosigned_by(answered, witnesses)
    for name, reason in found.refused.items():
        raise NoteRefused(f"the cosignature of {name} is wrong: {reason}")
    return {name: line_of(lines, witnesses[name]) for name in found.times_s}


def with_lines(note: bytes, lines: Iterable[NoteSignature]) -> bytes:
    """The note with more signature lines behind its own."""
    return note + format_lines(list(lines))


def line_of(lines: Iterable[NoteSignature], key: VKey) -> NoteSignature:
    """The first line of this key; there has to be one."""
    return next(line for line in lines if (line.name, line.key_id) == (key.name, key.key_id))
