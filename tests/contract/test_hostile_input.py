"""Whatever a peer sends: it is refused by name, memory stays bounded, and a neighbour does not notice."""

import contextlib
import queue
import random
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from headrace_ingest.bounds import DEFAULTS
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2 as pb
from headrace_proto.v1 import tracking_pb2
from hostile_peer import Neighbour, Peer, memory, peak_memory, read_values
from ingest_client import NOW, cells, change, define
from ingest_daemon import DaemonProcess, eventually

MIB = 1 << 20
WRITERS, STREAMS, DEFINITIONS, KEPT = 50, 40, 8 * MIB, 48 * MIB
"""Bounds of the daemon below that are not the default ones."""

LARGEST_GROWTH = 700 * MIB
"""Far below what the attacks send, and what they would have the daemon keep."""

CODES = pb.Refused
HALF_A_RECORD = wire.BLOB_HEAD.pack(wire.BLOB, 0, 0xFFFF, 0, wire.MAX_BLOB_BYTES, 0, NOW, 0) + bytes(
    2 * MIB - 96
)

Attack = Callable[[str], None]


def attack_with_other_protocols(address: str) -> None:
    host, _, port = address.rpartition(":")
    noise = random.Random(1).randbytes(100_000)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    endless_headers = struct.pack(">I", 16_000)[1:] + b"\x01\x00\x00\x00\x00\x01" + noise[:16_000]
    for data in (
        noise,
        b"GET / HTTP/1.1\r\n\r\n",
        preface + noise,
        preface + endless_headers * 5,
        preface,
        b"",
    ):
        connection = socket.create_connection((host.strip("[]"), int(port)))
        with connection, contextlib.suppress(OSError):
            connection.sendall(data)


def attack_with_what_is_no_message(address: str) -> None:
    for data in (b"\xff\xff\xff", b"", b"\x0a\xff\xff\xff\xff\x0f", random.Random(2).randbytes(5000)):
        with Peer(address) as peer:
            peer.send_bytes(data)
            status, message = peer.ended()
            assert (status, "without a body" in message) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def attack_with_100_mib(address: str) -> None:
    with Peer(address) as peer:
        peer.open()
        peer.append(0, bytes(100 * MIB))
        status, message = peer.ended()
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(DEFAULTS.message) in message


def attack_with_a_compressed_bomb(address: str) -> None:
    with Peer(address, grpc.Compression.Gzip) as peer:
        peer.append(0, bytes(64 * MIB))
        status, message = peer.ended()
        assert status is grpc.StatusCode.UNIMPLEMENTED
        assert "gzip" in message


def attack_with_opens(address: str) -> None:
    with Peer(address) as peer:
        refusals: dict[str, dict[str, Any]] = {
            "has 3 bytes, not 16": {"writer_id": b"abc"},
            "has 0 bytes, not 16": {"shipper_id": b""},
            f"is above {2**63 - 1}": {"open_number": 2**64 - 1},
            "the bound is 32": {"labels": {str(number): "" for number in range(33)}},
            "the bound is 256": {"labels": {"k": "x" * MIB}},
            "a NUL character": {"labels": {"k": "\0"}},
            "handle 1 was used before": {"handle": 1},
        }
        for bound, fields in refusals.items():
            peer.open(**fields)
            refused = peer.refusal()
            assert (refused.code, bound in refused.message) == (CODES.MALFORMED, True), refused
        peer.open(format=99)
        assert peer.refusal().code == CODES.UNSUPPORTED_FORMAT


def attack_with_too_many_writers(address: str) -> None:
    with Peer(address) as peer:
        for _ in range(WRITERS + 1):
            peer.open()
        assert f"{WRITERS} (HEADRACE_MAX_WRITERS" in peer.refusal().message
        with contextlib.suppress(queue.Full):
            for _ in range(5 * WRITERS):
                peer.open(writer_id=b"")
        assert peer.ended()[0] is grpc.StatusCode.INVALID_ARGUMENT


def attack_with_too_many_streams(address: str) -> None:
    with contextlib.ExitStack() as stack:
        peers = (stack.enter_context(Peer(address)) for _ in range(STREAMS))  # and the neighbour's
        refused = next(peer for peer in peers if not is_admitted(peer))
        status, message = refused.ended()
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert f"{STREAMS} (HEADRACE_MAX_STREAMS" in message
    eventually(lambda: is_admitted_now(address))


def is_admitted(peer: Peer) -> bool:
    """Whether the daemon takes the stream."""
    try:
        peer.opened()
    except grpc.RpcError:
        return False
    return True


def is_admitted_now(address: str) -> bool:
    with Peer(address) as peer:
        return is_admitted(peer)


def refused_for(address: str, first: int, data: bytes, definitions: bytes = b"") -> str:
    """Opens a writer, sends this, and must be refused: why."""
    with Peer(address) as peer:
        peer.append(first, data, definitions, handle=peer.opened())
        refused = peer.refusal()
        assert refused.code == CODES.MALFORMED
        # The handle is dead, and nothing more is said of it; the stream lives.
        peer.append(0, cells([1.0]), handle=1)
        peer.append(0, cells([1.0]), define(["loss"]), handle=peer.opened())
        assert peer.committed(1) == []
        message: str = refused.message
        return message


def attack_with_sequences(address: str) -> None:
    one = cells([1.0])
    assert "begin at 5, but 0" in refused_for(address, 5, one)
    assert f"is above {2**63 - 1}" in refused_for(address, 2**64 - 1, one)
    assert "not whole cells of 32" in refused_for(address, 0, one[:31])
    for parts, why in (
        (
            {"columns": pb.Columns(count=2**32 - 1, heads=one[:8], values=bytes(8))},
            "columns of 4294967295 cells",
        ),
        (
            {"columns": pb.Columns(count=1, heads=one[:8], values=bytes(8)), "cells": one},
            "two of cells, columns",
        ),
        (
            {"columns": pb.Columns(count=1, heads=one[:8], values=bytes(8)), "gap_to": 9},
            "two of cells, columns",
        ),
        ({"columns": pb.Columns(count=1, heads=bytes(8), values=bytes(8))}, "no metrics"),
    ):
        with Peer(address) as peer:
            peer.send(append=pb.Append(handle=peer.opened(), **parts))
            assert why in peer.refusal().message
    with Peer(address) as peer:
        peer.append(0, one, handle=77)
        assert "handle 77 is not open" in peer.refusal().message


def attack_with_definitions(address: str) -> None:
    good = define(["loss"])
    series = wire.series_frame(wire.SeriesDefinition(0, 9, "k"))
    assert "cut" in refused_for(address, 0, b"", good[:-1])
    assert "checksum" in refused_for(address, 0, b"", good[:-1] + b"!")
    assert "the bound is 4096" in refused_for(address, 0, b"", struct.pack("<II", 2**32 - 1, 0))
    assert "of run 9, which is not defined" in refused_for(address, 0, b"", series)
    assert "they have no gaps" in refused_for(
        address, 0, b"", wire.run_frame(wire.RunDefinition(7, "ab" * 16, ""))
    )
    assert "the bound is 2097152" in refused_for(address, 0, b"", good * 40_000)


def attack_with_ten_million_keys(address: str) -> None:
    with Peer(address) as peer:
        peer.opened()
        peer.append(0, b"", define([]))
        for first in range(0, 200_000, 50_000):
            block = b"".join(
                wire.series_frame(wire.SeriesDefinition(at, 0, f"k{at}"))
                for at in range(first, first + 50_000)
            )
            peer.append(0, b"", block)
        # Refused by now: what these say is not looked at.
        for _ in range(200_000, 10_000_000, 50_000):
            peer.append(0, b"", block)
        assert f"{DEFINITIONS} (HEADRACE_MAX_DEFINITIONS" in peer.refusal().message
        peer.append(0, cells([1.0]), define(["loss"]), handle=peer.opened())
        assert peer.committed(1) == []


def attack_with_definitions_of_many_writers(address: str) -> None:
    block = define([f"k{at}" + "x" * 200 for at in range(8000)])
    with Peer(address) as peer:
        for handle in [peer.opened() for _ in range(KEPT // len(block))]:
            peer.append(0, b"", block, handle=handle)
        status, message = peer.ended()
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert f"{KEPT} (HEADRACE_MAX_KEPT" in message


def attack_with_unknown_cells(address: str) -> None:
    """All points that can be taken are; each other one is a refused operation of its own."""
    unknown = bytes([77]) + bytes(31)
    undefined = cells([1.0], series=2**32 - 1)
    with Peer(address) as peer:
        peer.opened()
        peer.append(0, cells([1.0]) + unknown + undefined + bytes(32) + cells([2.0]), define(["loss"]))
        rejects = peer.committed(5)
        assert [(reject.first, reject.code) for reject in rejects] == [
            (1, "BAD_REQUEST"),
            (2, "BAD_REQUEST"),
            (3, "DATA_LOSS"),
        ]
        many = (cells([1.0]) + unknown) * 20_000
        peer.append(5, many)
        rejects = peer.committed(5 + 40_000)
        assert [reject.first for reject in rejects] == list(range(6, 40_005, 2))


def attack_with_records(address: str) -> None:
    too_long = change(param=tracking_pb2.SetParam(key="k", value="x" * (2 * MIB - 200)))
    assert "9 bytes in 7 cells" in refused_for(
        address, 0, wire.BLOB_HEAD.pack(wire.BLOB, 0, 7, 0, 9, 0, NOW, 0) + bytes(320)
    )
    with Peer(address) as peer:
        peer.opened()
        peer.append(0, too_long, define([]))
        [reject] = peer.committed(len(too_long) // 32)
        assert "the bound is 6000" in reject.message
        first, tiny = len(too_long) // 32, wire.blob_record(0, b"", NOW)
        peer.append(first, tiny * 30_000)
        assert sum(reject.end - reject.first for reject in peer.committed(first + 30_000)) == 30_000


def attack_with_records_that_never_end(address: str) -> None:
    with Peer(address) as peer:
        for handle in [peer.opened() for _ in range(6)]:
            peer.append(0, HALF_A_RECORD, handle=handle)
        assert f"{DEFAULTS.cut} (HEADRACE_MAX_CUT" in peer.refusal().message


def attack_by_sending_a_record_cell_by_cell(address: str) -> None:
    """Each message repeats what was sent before: the daemon must not keep it."""
    with Peer(address) as peer:
        peer.opened()
        peer.append(0, HALF_A_RECORD[: MIB // 2])
        for cut in range(MIB // 2, MIB // 2 + 32 * 400, 32):
            peer.append(0, HALF_A_RECORD[:cut])
        peer.append(10**9, b"")
        assert "begin at 1000000000" in peer.refusal().message


def attack_by_not_reading(address: str) -> None:
    """Answers without end that nobody takes: refused cells, refused writers."""
    with Peer(address) as peer, contextlib.suppress(queue.Full):
        bad = (cells([1.0]) + bytes([77]) + bytes(31)) * 5000
        peer.append(0, bad, define(["loss"]), handle=peer.opened())
        for first in range(10_000, 400_000, 10_000):
            peer._outgoing.put(
                pb.ClientMessage(append=pb.Append(handle=1, first=first, cells=bad)).SerializeToString(),
                timeout=0.5,
            )


def attack_by_stopping_in_the_middle(address: str) -> None:
    """Gone without a word, in the middle of a record, with the credit used up."""
    for data in (HALF_A_RECORD, cells([1.0] * 30_000)):
        with Peer(address) as peer:
            peer.append(0, data, define(["loss"]), handle=peer.opened())


ATTACKS: list[Attack] = [value for name, value in dict(globals()).items() if name.startswith("attack_")]


ALONE = [
    attack_with_too_many_streams,
    attack_with_definitions_of_many_writers,
    attack_with_ten_million_keys,
    attack_with_100_mib,
]


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonProcess]:
    for name, value in {
        "HEADRACE_MAX_WRITERS": WRITERS,
        "HEADRACE_MAX_STREAMS": STREAMS,
        "HEADRACE_MAX_DEFINITIONS": DEFINITIONS,
        "HEADRACE_MAX_KEPT": KEPT,
    }.items():
        monkeypatch.setenv(name, str(value))
    process = DaemonProcess(tmp_path / "data")
    yield process
    process.close()


@pytest.mark.timeout(300)
def test_attacks_are_refused_by_name_and_a_neighbour_does_not_notice(daemon: DaemonProcess) -> None:
    address = daemon.ready()
    neighbour = Neighbour(address)
    neighbour.start()
    neighbour.goes_on()
    before = memory(daemon.process.pid)
    for attack in ATTACKS:
        attack(address)
        neighbour.goes_on()
    # Again, several at once; but for those that need a bound for themselves, or take long to be sent.
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(attack, address) for attack in ATTACKS if attack not in ALONE]:
            done.result()
    neighbour.goes_on()
    logged = neighbour.stop()
    assert read_values(address, neighbour.run_id, "loss") == [float(at) for at in range(logged)]
    grown = peak_memory(daemon.process.pid) - before
    assert grown < LARGEST_GROWTH, f"{grown >> 20} MiB"
    assert daemon.terminate() == 0, daemon.output
