"""The named points exist, strike in every form, and end loudly when the product has moved on."""

import inspect

import pytest

from tests.faults.points import POINTS, Form, Point, PointGone


@pytest.mark.parametrize("name", POINTS)
def test_a_named_point_is_a_function_of_the_product(name: str) -> None:
    point = POINTS[name]
    _, attribute, function = point.owner()
    made = function.__func__ if isinstance(function, classmethod) else function

    assert made.__name__ == attribute
    assert made.__module__ == point.function.partition(":")[0]
    assert not inspect.isgeneratorfunction(made)
    assert not inspect.isasyncgenfunction(made)


@pytest.mark.parametrize(
    "function",
    [
        "exchange.intake.batch:renamed",
        "exchange.moved:take",
        "edge_agent.outbox:Outbox.renamed",
        "edge_agent.outbox:KEEP",
    ],
)
def test_a_renamed_function_ends_every_test_of_its_point(function: str) -> None:
    with pytest.raises(PointGone, match=function):
        Point("intake", "a step", function).owner()


def test_every_point_is_killed_on_both_sides() -> None:
    assert all({Form.KILLED_BEFORE, Form.KILLED_AFTER} <= set(p.forms) for p in POINTS.values())
