"""Arguments, the data folder and the port: what keeps a daemon from starting, and what it says."""

import argparse
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from headrace_ingest.config import Config, StartError, add_arguments, from_arguments
from headrace_ingest.folder import announced, locked
from headrace_ingest.ports import reachable, reserve, target


def parse(*arguments: str) -> Config:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return from_arguments(parser.parse_args(arguments))


def test_a_daemon_may_open_more_files_than_its_shell() -> None:
    script = (
        "import resource; from headrace_ingest.main import allow_open_files\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)); allow_open_files(300)\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)\n"
        "allow_open_files(299); assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 280)); allow_open_files(300)\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (280, 280)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_nothing_needs_to_be_said() -> None:
    assert parse() == Config(Path("data").resolve())


def test_a_configuration_travels_to_workers() -> None:
    config = parse(
        "--data", "d", "--workers", "3", "--database-url", "postgresql://u:p@h/d", "--grpc-port", "0"
    )
    assert Config.from_json(config.to_json()) == config


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.10"])
def test_loopback_is_served(host: str) -> None:
    assert parse("--host", host).host == host


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "--insecure"),
        (["--host", "192.0.2.1"], "--insecure"),
        (["--host", "no such host"], "--host no such host"),
        (["--grpc-port", "65536"], "0 (any free one) to 65535"),
        (["--workers", "0"], "1 to 64"),
        (["--exit-idle", "0"], "more than 0 seconds"),
        (["--exit-idle", "5", "--workers", "2"], "--workers 1"),
        (["--run-lease", "2.9"], "3 to 31536000 seconds, or never"),
        (["--run-lease", "nan"], "or never"),
        (["--run-lease", "inf"], "or never"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(StartError) as raised:
        parse(*arguments)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("text", "lease"), [("never", None), ("3", 3.0), ("86400", 86400.0)])
def test_a_lease_can_be_had_or_not(text: str, lease: float | None) -> None:
    config = parse("--run-lease", text)
    assert config.run_lease == lease
    assert Config.from_json(config.to_json()) == config


def test_insecure_serves_others() -> None:
    assert parse("--host", "0.0.0.0", "--insecure").host == "0.0.0.0"


def test_a_folder_has_one_daemon(tmp_path: Path) -> None:
    program = """if True:
        import sys; from pathlib import Path; from headrace_ingest.folder import locked
        with locked(Path(sys.argv[1])): print("held", flush=True); sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "new" / "data")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    with (
        pytest.raises(StartError, match=f"in use by the daemon with pid {holder.pid}"),
        locked(tmp_path / "new" / "data"),
    ):
        pass
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    with locked(tmp_path / "new" / "data"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot be used"), locked(tmp_path / "file" / "data"):
        pass


def test_the_address_is_told_while_it_serves(tmp_path: Path) -> None:
    with locked(tmp_path):
        with announced(tmp_path, "127.0.0.1:1234", "127.0.0.1:80"):
            told = json.loads((tmp_path / "daemon.json").read_text())
            assert told == {"address": "127.0.0.1:1234", "http": "127.0.0.1:80", "pid": os.getpid()}
        assert not (tmp_path / "daemon.json").exists()


def test_the_address_of_a_killed_daemon_is_removed(tmp_path: Path) -> None:
    (tmp_path / "daemon.json").write_text("{}")
    with locked(tmp_path):
        assert not (tmp_path / "daemon.json").exists()


def test_a_port_that_somebody_serves_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1 is taken"):
            reserve("127.0.0.1", port)


def test_a_port_that_somebody_shares_is_taken() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        with pytest.raises(StartError, match="is taken"):
            reserve("127.0.0.1", server.getsockname()[1])


def test_a_reserved_port_is_taken_for_other_daemons_and_shared_with_the_own_server() -> None:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        with pytest.raises(StartError, match="is taken"):
            reserve("127.0.0.1", port)
        with socket.create_server(("127.0.0.1", port), reuse_port=True):
            socket.create_connection(("127.0.0.1", port)).close()


def test_a_port_is_free_again_at_once() -> None:
    with reserve("127.0.0.1", 0) as reserved:
        address = reserved.getsockname()
        with socket.create_server(address, reuse_port=True) as server:
            client = socket.create_connection(address)
            # The side that closes first keeps the port in TIME_WAIT.
            server.accept()[0].close()
            client.close()
    reserve(*address).close()


def test_an_address_that_is_not_here_is_named() -> None:
    with pytest.raises(StartError, match=r"cannot serve on 192\.0\.2\.1"):
        reserve("192.0.2.1", 0)


def test_addresses_are_written_as_clients_need_them() -> None:
    assert target("::1", 5) == "[::1]:5"
    assert reachable("0.0.0.0", 5) == "127.0.0.1:5"
    assert reachable("::", 5) == "[::1]:5"
    assert reachable("127.0.0.1", 5) == "127.0.0.1:5"
