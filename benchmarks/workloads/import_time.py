"""What ``import headrace`` adds to a program that starts."""

import os
import subprocess
import sys

PROGRAM = """
from time import perf_counter
start = perf_counter()
import grpc, grpc.aio
grpc_done = perf_counter()
import headrace
print(grpc_done - start, perf_counter() - grpc_done)
"""


def run(_points: int) -> dict[str, float]:
    """Milliseconds that importing headrace takes beyond importing grpc, in a fresh interpreter."""
    # With bytecode, as an installation has it: compiling takes twice as long as all the rest.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", PROGRAM]
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    grpc_seconds, headrace_seconds = map(float, done.stdout.split())
    return {"headrace_ms": headrace_seconds * 1000, "grpc_ms": grpc_seconds * 1000}
