"""What comes before a component, and whom it calls, are two things; a claim is both, unless its kind says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_platform.stack.holders import holder
from data_platform.stack.load import load_stack
from tests.unit.stack.conftest import refusal

if TYPE_CHECKING:
    from tests.conftest import Tiny


def test_who_must_come_before_and_who_is_called_are_told_apart(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c.update(after=["s3"], calls=["postgresql"]))
    stack = load_stack(tiny.root)
    assert stack.dependencies("portal") == ("minio", "reader")
    assert stack.callees("portal") == ("postgresql", "reader")
    # Who claims comes after the maker and calls it, without a word more.
    assert stack.dependencies("reader") == stack.callees("reader") == ("postgresql", "minio")


def test_what_is_said_and_claimed_too_counts_once(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c.update(after=["reader"], calls=["reader", "reader"]))
    stack = load_stack(tiny.root)
    assert stack.dependencies("portal") == stack.callees("portal") == ("reader",)


def test_a_call_of_who_comes_later_makes_no_circle(tiny: Tiny) -> None:
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(calls=["portal"]))
    stack = load_stack(tiny.root)
    assert list(stack.components) == ["minio", "postgresql", "reader", "portal"]
    assert stack.callees("postgresql") == ("portal",)
    # It is deployed without who comes later.
    assert stack.only(("postgresql",)) == ("postgresql",)
    assert stack.dependencies("postgresql") == ()
    # The same said as an order is a circle.
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(after=["portal"]))
    assert "in a circle" in refusal(tiny).problem


def test_a_claim_whose_holder_can_begin_without_it_is_a_call_alone(tiny: Tiny) -> None:
    token = {"kind": "token", "of": "reader"}
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(claims=[token]))
    assert "in a circle" in refusal(tiny).problem
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(claims=[token | {"later": True}]))
    stack = load_stack(tiny.root)
    assert stack.callees("postgresql") == ("reader",)
    assert list(stack.components) == ["minio", "postgresql", "reader", "portal"]
    assert "reader_token" in holder(stack, "postgresql").generated
