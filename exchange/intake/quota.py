"""How much one device, and one carrier, may put through intake while others wait. Pure.

A rate is kept as one number per name: until when what it has sent is paid for (the generic cell
rate algorithm, ITU-T I.371 annex A; the same as a token bucket). Quotas hold only while messages
wait: an idle worker takes whatever comes, and remembers it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from exchange.intake.model import Message
from exchange.intake.verification import Device, device_of

MESSAGE_BYTES = 4_096
"""A larger message counts once for each of these that it begins."""
BURST_S = 10.0
"""So many seconds of a rate may come at once."""
STANDING_S = 1.0
"""Messages wait once batches have been full for this long, one after the other."""

_FULL_BYTES = 4 * 1024 * 1024
_OTHERS_S = 60.0
_NAMES_MAX = 100_000


class Rate:
    """One rate for many names: ``per_s`` units a second, ``burst`` of them at once at most.

    Remembers a bounded number of names; when there are too many in debt, all debts are forgiven.
    """

    def __init__(self, per_s: float, burst: float, names_max: int = _NAMES_MAX) -> None:
        self._unit_s = 1 / per_s if per_s else 0.0
        self._burst_s = burst * self._unit_s
        self._names_max = names_max
        self._paid_until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._paid_until)

    def has_room(self, name: Hashable, units: int, now_s: float) -> bool:
        """Whether ``units`` more are within the rate; those larger than a burst never are."""
        until = max(self._paid_until.get(name, now_s), now_s) + units * self._unit_s
        # Clocks are floats: a millionth of a unit decides nothing.
        return until - now_s <= self._burst_s + self._unit_s * 1e-6

    def charge(self, name: Hashable, units: int, now_s: float) -> None:
        """Count what was taken; a debt is never larger than a burst."""
        if not self._unit_s:
            return
        if name not in self._paid_until and len(self._paid_until) >= self._names_max:
            self._forget(now_s)
        until = max(self._paid_until.get(name, now_s), now_s) + units * self._unit_s
        self._paid_until[name] = min(until, now_s + self._burst_s)

    def _forget(self, now_s: float) -> None:
        self._paid_until = {
            name: until for name, until in self._paid_until.items() if until > now_s
        }
        if len(self._paid_until) > self._names_max // 2:
            self._paid_until = {}


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second of a device and of a carrier, of all workers together; 0: no quota."""

    device_per_s: float = 0
    carrier_per_s: float = 0
    workers: int = 1
    standing_s: float = STANDING_S
    """How long batches have to be full before quotas hold."""

    def of_devices(self) -> Rate:
        """One worker's part, for devices."""
        return self._part(self.device_per_s)

    def of_carriers(self) -> Rate:
        """One worker's part, for carriers."""
        return self._part(self.carrier_per_s)

    def _part(self, per_s: float) -> Rate:
        """At least one message of the largest size fits, however many workers there are."""
        return Rate(per_s / self.workers, max(per_s / self.workers * BURST_S, 32))


NO_QUOTA = Rates()


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch: what is to be judged, and what is let go, in their order."""

    within: list[Message]
    over: list[Message]


class Quota:
    """One worker's. ``now_s`` of every call is of one monotonic clock."""

    def __init__(self, rates: Rates) -> None:
        self._devices = rates.of_devices()
        self._carriers = rates.of_carriers()
        self._standing_s = rates.standing_s
        self._full_since_s: float | None = None
        self._seen_s: dict[str, float] = {}

    def sort(self, batch: Sequence[Message], wanted: int, now_s: float) -> Sorted:
        """Part a batch, of which ``wanted`` messages were asked for, in two.

        All of it is within while nothing waits behind it.
        """
        waits = self._others_wait(batch, wanted, now_s)
        devices = [device_of(message.topic) for message in batch]
        shared = self._several_carriers(devices, now_s)
        parted = Sorted([], [])
        for message, device in zip(batch, devices, strict=True):
            units = 1 + (len(message.payload) - 1) // MESSAGE_BYTES if message.payload else 1
            fits = self._devices.has_room(device, units, now_s) and (
                not shared or self._carriers.has_room(device[0], units, now_s)
            )
            if waits and not fits:
                parted.over.append(message)
                continue
            self._devices.charge(device, units, now_s)
            self._carriers.charge(device[0], units, now_s)
            parted.within.append(message)
        return parted

    def _others_wait(self, batch: Sequence[Message], wanted: int, now_s: float) -> bool:
        """Whether batches have been full for a while: then more stand behind this one."""
        full = len(batch) >= wanted or (
            sum(len(message.payload) for message in batch) >= _FULL_BYTES
        )
        if not full:
            self._full_since_s = None
            return False
        if self._full_since_s is None:
            self._full_since_s = now_s
        return now_s - self._full_since_s >= self._standing_s

    def _several_carriers(self, devices: Sequence[Device], now_s: float) -> bool:
        """Whether a carrier takes anything from another: not when it was alone for a minute."""
        self._seen_s.update(dict.fromkeys({carrier for carrier, _ in devices}, now_s))
        if len(self._seen_s) > 1:
            self._seen_s = {
                carrier: seen_s
                for carrier, seen_s in self._seen_s.items()
                if now_s - seen_s < _OTHERS_S
            }
        return len(self._seen_s) > 1


class RefusalPace:
    """Which of the messages that were let go are answered: few, or a flood would answer a flood."""

    _DEVICE_EACH_S = 5.0
    _ALL_PER_S = 50.0

    def __init__(self) -> None:
        self._devices = Rate(1 / self._DEVICE_EACH_S, 1)
        self._all = Rate(self._ALL_PER_S, self._ALL_PER_S)

    def answered(self, over: Sequence[Message], now_s: float) -> list[Message]:
        """At most one message of a device in five seconds, and 50 of all devices in a second."""
        chosen = []
        for message in over:
            device = device_of(message.topic)
            if self._devices.has_room(device, 1, now_s) and self._all.has_room("", 1, now_s):
                self._devices.charge(device, 1, now_s)
                self._all.charge("", 1, now_s)
                chosen.append(message)
        return chosen
