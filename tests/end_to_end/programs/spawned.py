"""A parent that starts a run, and children that join it by id and end before their parent does."""

import multiprocessing
import sys
from typing import Any

import headrace


def child(run_id: str, number: int) -> None:
    with headrace.start_run(run_id=run_id):
        for step in range(100):
            headrace.log_metric(f"child{number}", number, step)


if __name__ == "__main__":
    run = headrace.start_run()
    headrace.log_metric("parent", 1.0)
    context: Any = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=child, args=(run.info.run_id, n)) for n in range(3)]
    for process in children:
        process.start()
    for process in children:
        process.join()
    print(headrace.Client().get_run(run.info.run_id).info.status)  # noqa: T201
    headrace.end_run("FAILED")
    print(run.info.run_id)  # noqa: T201
