"""What the daemon admits: the refusals, and what an Open may say. No I/O."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from headrace_proto import wire
from headrace_proto.limits import text_problem
from headrace_proto.v1.ingest_pb2 import Open, Refused

MAX_SEQUENCE: Final = 2**63 - 1
MAX_DEFINITION_BYTES: Final = 2 << 20
"""Definitions in one message: nothing else happens while they are read."""

MAX_LABELS: Final = 32
MAX_LABEL: Final = 256


class RefusedError(Exception):
    """The writer is not admitted (any more) on this stream; ``code`` is one of ``Refused.Code``."""

    def __init__(self, code: Refused.Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Claim(NamedTuple):
    """An ``Open`` that keeps every bound."""

    writer: UUID
    shipper: UUID
    open_number: int
    known_reject: int
    labels: Mapping[str, str]
    orphaned: bool = False


def malformed(message: str) -> RefusedError:
    """The refusal of a message that breaks the protocol or a bound."""
    return RefusedError(Refused.MALFORMED, message)


def check_open(message: Open) -> Claim:
    """The claim that ``message`` makes. :class:`RefusedError` when it breaks a bound."""
    if message.format != wire.FORMAT:
        raise RefusedError(
            Refused.UNSUPPORTED_FORMAT,
            f"format {message.format}, but this daemon knows {wire.FORMAT}: upgrade it, the journal stays",
        )
    for name, identity in (("writer_id", message.writer_id), ("shipper_id", message.shipper_id)):
        if len(identity) != 16:
            raise malformed(f"{name} has {len(identity)} bytes, not 16")
    if message.open_number > MAX_SEQUENCE:
        raise malformed(f"open_number {message.open_number} is above {MAX_SEQUENCE}")
    if len(message.labels) > MAX_LABELS:
        raise malformed(f"{len(message.labels)} labels, the bound is {MAX_LABELS}")
    for key, value in message.labels.items():
        for text in (key, value):
            if len(text.encode()) > MAX_LABEL:
                raise malformed(f"a label of {len(text.encode())} bytes, the bound is {MAX_LABEL}")
            if problem := text_problem(text):
                raise malformed(f"a label {problem}")
    return Claim(
        UUID(bytes=message.writer_id),
        UUID(bytes=message.shipper_id),
        message.open_number,
        message.known_reject,
        dict(message.labels),
        message.orphaned,
    )
