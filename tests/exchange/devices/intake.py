"""A truck that an exchange knows, and intake as its workers do it: what tests of keys need."""

from collections.abc import Sequence
from datetime import UTC, datetime

from exchange.intake.model import BatchResult
from exchange.intake.worker import Worker
from exchange.store.database import connect
from schemas.cose.keys import SoftwareSigner
from tests.exchange.device_keys import rotation_body
from tests.exchange.intake.trucks import Truck
from tests.exchange.world import Organisation, World


def admitted(world: World, carrier: Organisation, device: str = "dev-1") -> Truck:
    """A truck of this carrier, admitted over the API."""
    truck = Truck(device, carrier=carrier.name, origin=world.origin)
    admit(world, carrier, truck)
    return truck


def admit(world: World, carrier: Organisation, truck: Truck) -> None:
    body = {
        "statements": world.device_statements(carrier, truck.device, truck.vehicle, truck.signer)
    }
    answer = world.http.post("/v1/devices", json=body, headers=carrier.headers)
    assert answer.status_code == 201, answer.text


def rotate(
    world: World, carrier: Organisation, truck: Truck, boots: dict[bytes, int]
) -> SoftwareSigner:
    """Give the truck a new key; returns the old one."""
    old, truck.signer = truck.signer, SoftwareSigner.generate()
    answer = world.http.post(
        f"/v1/devices/{truck.device}/rotation",
        json=rotation_body(world, carrier, truck.device, truck.signer, old, boots),
        headers=carrier.headers,
    )
    assert answer.status_code == 201, answer.text
    return old


def take(world: World, truck: Truck, raws: Sequence[bytes]) -> BatchResult:
    """What an intake worker makes of these statements."""
    worker = worker_of(world)
    try:
        return worker.handle([truck.message(raw) for raw in raws])
    finally:
        worker.close()


def worker_of(world: World) -> Worker:
    def now() -> datetime:
        return datetime.now(UTC)

    return Worker(lambda: connect(world.settings), world.origin, now)
