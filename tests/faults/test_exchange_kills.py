"""Intake and signer die or fail at every named point: nothing acknowledged is lost or doubled.

One exchange serves the whole module. For each fault four trucks send, the fault is made, whatever
died is started again, and once every statement has its receipt the checker reads the log.
"""

import random

import pytest

from tests.faults.injection import Order
from tests.faults.points import INTAKE, SIGNER, Form, Point
from tests.faults.receiving import Receiving
from tests.faults.table import TABLE

ROUNDS = 5
"""Of the long form, over every point and form."""


@pytest.mark.parametrize("point", [*INTAKE, *SIGNER], ids=lambda point: point.name)
def test_a_death_at_a_named_point_costs_nothing(
    receiving: Receiving, point: Point, seed: int
) -> None:
    form = random.Random(f"{seed} {point.name}").choice([Form.KILLED_BEFORE, Form.KILLED_AFTER])
    made(receiving, Order(point.name, form))


@pytest.mark.timeout(300)
def test_what_fails_without_dying_costs_nothing(receiving: Receiving, seed: int) -> None:
    rng = random.Random(seed)
    failing = [point for point in (*INTAKE, *SIGNER) if len(point.forms) > 2]
    for point in rng.sample(failing, 8):
        made(receiving, Order(point.name, rng.choice(point.forms[2:])))


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_every_point_in_every_form_many_times(receiving: Receiving, seed: int) -> None:
    rng = random.Random(seed)
    orders = [
        Order(point.name, form, rng.randint(1, 2) if point.step in _OFTEN else 1)
        for _ in range(ROUNDS)
        for point in (*INTAKE, *SIGNER)
        for form in point.forms
    ]
    rng.shuffle(orders)
    for order in orders:
        made(receiving, order)


_OFTEN = {"batch fetched", "receipts sent", "head read", "fence read"}


def made(receiving: Receiving, order: Order) -> None:
    verdict, recovered_s = receiving.fault(order)
    TABLE.add(order.point, order.form, verdict, recovered_s, kills=order.form.kills)
