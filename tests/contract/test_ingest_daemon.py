"""Real daemon processes: how they start, serve, survive and end."""

import asyncio
import os
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from ingest_client import RUN, Shipper, cells, connected, define, history, ship
from ingest_daemon import DaemonProcess, alive, eventually

Start = Callable[..., DaemonProcess]


def postmaster(data: Path) -> int:
    return int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def another_postmaster(data: Path, before: int) -> bool:
    try:
        return postmaster(data) != before
    except (FileNotFoundError, IndexError):
        return False


def workers(daemon: DaemonProcess) -> list[int]:
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if "headrace_ingest.worker" in Path(f"/proc/{child}/cmdline").read_text()
    ]


@asynccontextmanager
async def shipping(address: str, writer: uuid.UUID) -> AsyncIterator[tuple[Any, Shipper, int]]:
    """A channel, a stream on it, and where the writer stands."""
    async with connected(address) as channel:
        shipper = ship(channel)
        opened = await shipper.open(writer)
        yield channel, shipper, opened.committed


async def log(address: str, writer: uuid.UUID, values: Sequence[float]) -> None:
    async with shipping(address, writer) as (_, shipper, first):
        await shipper.append(first, cells(values, first_step=first), define(["loss"]))
        assert await shipper.committed(first + len(values)) == []


async def logged(address: str) -> list[float]:
    async with connected(address) as channel:
        found = (await history(channel, RUN, "loss"))["values"].tolist()
        return [float(value) for value in found]


async def test_nothing_needs_to_be_set_up(start_daemon: Start) -> None:
    daemon = start_daemon(bare=True)
    address = daemon.ready()
    await log(address, uuid.uuid4(), [1.0, 2.0])
    assert await logged(address) == [1.0, 2.0]
    async with connected(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        for service in ("", "headrace.v1.Ingest", "headrace.v1.Tracking"):
            health = await check(health_pb2.HealthCheckRequest(service=service))
            assert health.status == health_pb2.HealthCheckResponse.SERVING
    server = postmaster(daemon.data)
    assert daemon.terminate() == 0
    assert not alive(server)
    assert not (daemon.data / "daemon.json").exists()
    told = [line for line in daemon.output.splitlines() if line.startswith("headrace serves")]
    assert len(told) == 1
    assert address in told[0]
    assert str(daemon.data) in told[0]
    assert "error" not in daemon.output.lower()

    again = start_daemon()
    assert await logged(again.ready()) == [1.0, 2.0]


async def test_sigint_is_as_good(start_daemon: Start, database_url: str) -> None:
    daemon = start_daemon("--database-url", database_url)
    daemon.ready()
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.ended() == 0


async def test_a_second_signal_does_not_wait(start_daemon: Start, database_url: str) -> None:
    daemon = start_daemon("--database-url", database_url)
    async with shipping(daemon.ready(), uuid.uuid4()):
        # A stopped process takes both signals at once when it goes on.
        daemon.process.send_signal(signal.SIGSTOP)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.send_signal(signal.SIGINT)
        daemon.process.send_signal(signal.SIGCONT)
        assert daemon.ended() in (128 + signal.SIGTERM, 128 + signal.SIGINT)


async def test_what_is_acknowledged_survives_kill_9_and_nothing_is_left_running(start_daemon: Start) -> None:
    writer = uuid.uuid4()
    daemon = start_daemon()
    await log(daemon.ready(), writer, [1.0, 2.0, 3.0])
    server = postmaster(daemon.data)
    daemon.process.kill()
    # The next daemon does not wait for the end of the last one's database server: it sees to it.
    again = start_daemon()
    address = again.ready()
    assert not alive(server)
    assert await logged(address) == [1.0, 2.0, 3.0]
    await log(address, writer, [4.0])
    assert await logged(address) == [1.0, 2.0, 3.0, 4.0]
    server = postmaster(again.data)
    again.process.kill()
    eventually(lambda: not alive(server))


async def test_a_database_server_that_dies_is_started_again_and_nobody_notices(start_daemon: Start) -> None:
    daemon = start_daemon()
    address = daemon.ready()
    async with shipping(address, uuid.uuid4()) as (_, shipper, _):
        await shipper.append(0, cells([1.0]), define(["loss"]))
        await shipper.committed(1)
        for end in (2, 3):
            server = postmaster(daemon.data)
            os.kill(server, signal.SIGKILL)
            await shipper.append(end - 1, cells([float(end)]))
            await asyncio.wait_for(shipper.committed(end), 60)
            eventually(partial(another_postmaster, daemon.data, server))
        # Takes connections again when it has answered this.
        await shipper.append(3, cells([4.0]))
        await shipper.committed(4)
    assert await logged(address) == [1.0, 2.0, 3.0, 4.0]
    assert daemon.terminate() == 0


async def test_a_folder_in_use_names_who_uses_it(start_daemon: Start, database_url: str) -> None:
    first = start_daemon("--database-url", database_url)
    first.ready()
    second = start_daemon(data=first.data)
    assert second.ended() == 1
    assert f"is in use by the daemon with pid {first.process.pid}" in second.output


async def test_a_port_that_is_taken_is_named(start_daemon: Start, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        daemon = start_daemon("--database-url", database_url, "--grpc-port", str(port))
        assert daemon.ended() == 1
    assert daemon.output == f"headrace server: port {port} on 127.0.0.1 is taken; give another --grpc-port\n"


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/none", "postgresql:///none?host=/no/such/folder", "mysql://x"]
)
def test_a_database_that_refuses_is_told_in_a_line(start_daemon: Start, url: str) -> None:
    daemon = start_daemon("--database-url", url)
    assert daemon.ended() == 1
    assert daemon.output.startswith("headrace server: the database cannot be used: ")
    assert daemon.output.count("\n") == 1


async def test_a_database_of_another_folder_is_refused(
    start_daemon: Start, database_url: str, tmp_path: Path
) -> None:
    start_daemon("--database-url", database_url).ready()
    other = start_daemon("--database-url", database_url, data=tmp_path / "other")
    assert other.ended() == 1
    assert "belongs to the object store" in other.output


def test_other_machines_need_a_word(start_daemon: Start) -> None:
    daemon = start_daemon("--host", "0.0.0.0")
    assert daemon.ended() == 1
    assert "--insecure" in daemon.output


def test_a_damaged_database_folder_is_told_in_a_line(start_daemon: Start, tmp_path: Path) -> None:
    damaged = tmp_path / "data" / "postgres"
    damaged.mkdir(parents=True)
    (damaged / "PG_VERSION").write_text("18\n")
    daemon = start_daemon()
    assert daemon.ended() == 1
    assert daemon.output.splitlines()[-1].startswith("headrace server: postgresql ends with status 2: ")


async def test_a_long_path_is_no_obstacle(start_daemon: Start, tmp_path: Path) -> None:
    daemon = start_daemon(data=tmp_path / ("long and, with a comma " * 8).strip(), bare=True)
    await log(daemon.ready(), uuid.uuid4(), [1.0])
    assert daemon.terminate() == 0


async def test_it_ends_when_nobody_uses_it(start_daemon: Start, database_url: str) -> None:
    daemon = start_daemon("--database-url", database_url, "--exit-idle", "2")
    address = daemon.ready()
    async with shipping(address, uuid.uuid4()):
        await asyncio.sleep(2.6)
        assert daemon.process.poll() is None
    assert daemon.ended() == 0


async def test_workers_share_a_port_and_are_replaced(start_daemon: Start, database_url: str) -> None:
    daemon = start_daemon("--database-url", database_url, "--workers", "2")
    address = daemon.ready()
    before = workers(daemon)
    assert len(before) == 2
    # Each connection lands at one of them; what one acknowledges all can read.
    for number in range(8):
        await log(address, uuid.uuid4(), [float(number)])
    assert sorted(await logged(address)) == list(range(8))
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(workers(daemon)) == 2 and before[0] not in workers(daemon))
    writer = uuid.uuid4()
    for number in range(8, 16):
        for _ in range(100):
            try:
                await log(address, writer, [float(number)])
                break
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)
    assert sorted(await logged(address)) == list(range(16))
    assert daemon.terminate() == 0
    assert not any(alive(worker) for worker in before)


async def test_workers_end_with_their_parent(start_daemon: Start, database_url: str) -> None:
    daemon = start_daemon("--database-url", database_url, "--workers", "2")
    daemon.ready()
    children = workers(daemon)
    daemon.process.kill()
    eventually(lambda: not any(alive(child) for child in children))
