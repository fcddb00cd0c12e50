"""What happens between a logging process and its daemon."""

from fault import Fault, Field, faults


def cut(field: Field) -> int:
    field.choose_slot().proxy.cut()
    return 1


def cut_within_a_message(field: Field) -> int:
    slot = field.choose_slot()
    slot.proxy.cut_after(field.random.randrange(20_000))
    field.sleep(0.2, 1)
    slot.proxy.heal()
    return 1


def delay(field: Field) -> int:
    slot = field.choose_slot()
    slot.proxy.delay = field.random.uniform(0.02, 0.3)
    field.sleep(0.5, 1.5)
    slot.proxy.delay = 0.0
    return 1


def hold(field: Field) -> int:
    """Packets are dropped for a while; TCP brings them in the end."""
    slot = field.choose_slot()
    with slot.fault():
        slot.proxy.hold()
        field.sleep(0.5, 3)
        slot.proxy.heal()
    return 1


def black_hole(field: Field) -> int:
    """Packets of this connection are dropped for ever, and nobody says so."""
    slot = field.choose_slot()
    slot.proxy.hold()
    slot.proxy.forget()
    field.sleep(0.5, 1.5)
    return 1


def slow_reader(field: Field) -> int:
    slot = field.choose_slot()
    slot.proxy.slow_answers = True
    field.sleep(0.5, 2)
    slot.proxy.slow_answers = False
    return 1


def lost_answers(field: Field) -> int:
    """What was sent is committed, nobody hears of it, and the connection ends."""
    slot = field.choose_slot()
    slot.proxy.lose_answers()
    field.sleep(0.2, 1)
    slot.proxy.cut()
    return 1


ALL: list[Fault] = faults(
    "network",
    {
        "connection cut": cut,
        "connection cut within a message": cut_within_a_message,
        "packets delayed": delay,
        "packets dropped for a while": hold,
        "connection black-holed": black_hole,
        "slow reader": slow_reader,
        "answers lost after the commit": lost_answers,
    },
    lingering=frozenset(["connection black-holed"]),
)
