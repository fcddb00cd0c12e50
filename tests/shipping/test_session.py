"""The session's numbers, against a daemon that acknowledges, loses streams and lets others carry on."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headrace.shipping.backoff import Backoff
from headrace.shipping.session import COLUMN_CELLS, MESSAGE_CELLS, PATIENT_CELLS, ShippingSession
from headrace_proto.wire import CELL_SIZE


class SessionMachine(RuleBasedStateMachine):
    """A journal that grows, a stream that comes and goes, a catalog that only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.session = ShippingSession()
        self.tail = 0
        self.durable = 0
        self.received = 0

    @rule(count=st.integers(1, 200_000))
    def write(self, count: int) -> None:
        self.tail += count

    @precondition(lambda self: not self.session.opened)
    @rule(credit=st.integers(0, 1 << 23))
    def open(self, credit: int) -> None:
        self.session.on_opened(self.durable, credit)
        self.received = self.durable
        assert self.session.sent == self.durable

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        count = self.session.next_count(self.tail)
        assert 0 <= count <= (COLUMN_CELLS if self.session.by_column else MESSAGE_CELLS)
        if count:
            assert self.session.opened
            assert self.session.sent == self.received, "cells are sent in order, without a gap"
            by_column = data.draw(st.booleans())
            sent = count if by_column else min(count, MESSAGE_CELLS)
            self.session.on_sent(sent, by_column=by_column)
            self.received += sent

    @precondition(lambda self: self.session.opened)
    @rule(data=st.data(), credit=st.integers(0, 1 << 23))
    def acknowledge(self, data: st.DataObject, credit: int) -> None:
        self.durable = data.draw(st.integers(self.durable, self.received))
        self.session.on_ack(self.durable, credit)

    @rule()
    def lose(self) -> None:
        self.session.on_lost()
        assert self.session.next_count(self.tail) == 0

    @invariant()
    def numbers_agree(self) -> None:
        if self.session.opened:
            assert self.session.committed <= self.session.sent <= self.tail

    @invariant()
    def never_stalls(self) -> None:
        """Nothing on its way, something written, credit given: then something is sent."""
        session = self.session
        if (
            session.opened
            and not session.in_flight()
            and self.tail > session.sent
            and session.credit >= CELL_SIZE
        ):
            assert session.next_count(self.tail) > 0


TestSession = SessionMachine.TestCase


def test_few_cells_wait_for_those_on_their_way() -> None:
    session = ShippingSession()
    session.on_opened(0, 1 << 30)
    assert session.next_count(1) == 1
    session.on_sent(1)
    assert session.next_count(1 + PATIENT_CELLS - 1) == 0
    assert session.next_count(1 + PATIENT_CELLS) == PATIENT_CELLS
    session.on_ack(1, 1 << 30)
    assert session.next_count(2) == 1


def test_few_cells_wait_a_while_after_a_message() -> None:
    session = ShippingSession()
    session.on_opened(0, 1 << 30)
    assert session.next_count(1, now=9.0) == 1
    session.on_sent(1)
    session.rest_until = 10.0
    session.on_ack(1, 1 << 30)
    assert session.next_count(2, now=9.9) == 0
    assert session.next_count(2, now=10.0) == 1
    assert session.next_count(2) == 1, "somebody waits for it"
    assert session.next_count(1 + PATIENT_CELLS, now=9.9) == PATIENT_CELLS


@pytest.mark.parametrize("credit", [1 << 30, MESSAGE_CELLS * CELL_SIZE + CELL_SIZE])
def test_the_rest_of_a_record_that_a_message_cut_does_not_wait(credit: int) -> None:
    # The daemon cannot acknowledge the record's first half: waiting for that would be for ever.
    session = ShippingSession()
    session.on_opened(0, credit)
    assert session.next_count(MESSAGE_CELLS + 1) == MESSAGE_CELLS
    session.on_sent(MESSAGE_CELLS)
    session.on_ack(MESSAGE_CELLS - 1, credit)
    assert session.next_count(MESSAGE_CELLS + 1) == 1


@given(st.integers(1, 30))
def test_backoff_doubles_within_bounds(attempts: int) -> None:
    backoff = Backoff(first=0.1, last=5.0)
    for attempt in range(attempts):
        span = min(0.1 * 2**attempt, 5.0)
        assert span / 2 <= backoff.next() <= span
    backoff.reset()
    assert backoff.next() <= 0.1
