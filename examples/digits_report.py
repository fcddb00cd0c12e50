"""What a person wants to see after a run: its summary, a loss curve, the rate, and how to read it all.

Everything here comes back out of Headrace: the run, the histories, and the published DuckDB view.
"""

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import matplotlib as mpl
import numpy as np
import plotext
from numpy.typing import NDArray

import headrace
from headrace import MetricColumns, Run

mpl.use("Agg")
from matplotlib import pyplot as plt

PUBLISHED_WITHIN = 60.0
"""Seconds to wait until the view shows every point; usually less than ten pass."""

Curve = tuple[NDArray[np.int64], NDArray[np.float64]]


def report(run_id: str, ranks: int, data: Path | None) -> None:
    """Prints the run and its loss curve. ``data`` is the daemon's folder, ``None`` when it is elsewhere."""
    client = headrace.Client()
    run = client.get_run(run_id)
    histories = {key: client.get_metric_columns(run_id, key) for key in run.data.metrics}
    print_summary(run, histories, ranks)
    training = mean_curve([histories[f"rank{rank}/loss"] for rank in range(ranks)])
    draw(training, curve(histories["held_out/loss"]), Path("out") / "digits-loss.png")
    if data:
        show_how_to_read(run_id, data, sum(len(history.steps) for history in histories.values()))


def print_summary(run: Run, histories: dict[str, MetricColumns], ranks: int) -> None:
    """The run at a glance, and what logging it took."""
    metrics = run.data.metrics
    times = [time for history in histories.values() for time in history.timestamps]
    seconds = max((max(times) - min(times)) / 1000, 1e-3)
    call = np.mean([metrics[f"rank{rank}/log_metric_us"] for rank in range(ranks)])
    print()
    print(f"run         {run.info.run_id}  {run.info.run_name!r}  {run.info.status}")
    print(f"params      {', '.join(f'{key}={value}' for key, value in sorted(run.data.params.items()))}")
    print(f"held out    accuracy {metrics['held_out/accuracy']:.3f}, loss {metrics['held_out/loss']:.3f}")
    print(f"points      {len(times):,} of {len(histories)} metrics by {ranks} processes, all durable")
    print(f"rate        {len(times) / seconds:,.0f} points/s over {seconds:.1f} s of training")
    print(f"log_metric  {call:.2f} µs per call on average, measured inside the ranks")
    print()


def curve(history: MetricColumns) -> Curve:
    """Steps and values of one metric."""
    return np.array(history.steps), np.array(history.values)


def mean_curve(histories: Sequence[MetricColumns]) -> Curve:
    """The mean across ranks at each step."""
    curves = [curve(history) for history in histories]
    return curves[0][0], np.mean([values for _, values in curves], axis=0)


def smooth(line: Curve, window: int = 21) -> Curve:
    """A moving average; noise of single batches hides the trend."""
    steps, values = line
    kernel = np.ones(window) / window
    return steps[window // 2 : -(window // 2)], np.convolve(values, kernel, mode="valid")


def draw(training: Curve, held_out: Curve, png: Path) -> None:
    """The loss curve, in the terminal and as a PNG."""
    figure = plotext.figure
    train_steps, train_values = (part.tolist() for part in smooth(training))
    figure.draw(figure.signal(train_steps, train_values, marker="braille").label("training").lines())
    figure.draw(figure.signal(*(part.tolist() for part in held_out), marker="o").label("held out"))
    ticks = list(range(0, int(training[0][-1]) + 1, 200))
    figure.ruler("x").ticks(ticks, [f"{tick:,}" for tick in ticks])
    figure.ruler("y").scale("log")
    figure.legend(x=55)
    figure.title("loss, mean of all ranks").label("step").plot_size(80, 20).theme("colorless")
    figure.show(colorless=True)

    png.parent.mkdir(exist_ok=True)
    picture, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axes.plot(*training, color="tab:blue", alpha=0.25, linewidth=0.6, label="training, each step")
    axes.plot(*smooth(training), color="tab:blue", label="training, moving average")
    axes.plot(*held_out, color="tab:orange", label="held out, each epoch")
    axes.set(xlabel="step", ylabel="cross-entropy", yscale="log", title="Digits: loss, mean of all ranks")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    picture.savefig(png, dpi=150)
    print(f"\nloss curve  {png}")


def show_how_to_read(run_id: str, data: Path, points: int) -> None:
    """Prints the line that opens the history without Headrace, once it is complete there."""
    view = data / "headrace.sql"
    count = f"SELECT count(*) FROM metrics WHERE run_id = '{run_id}'"  # noqa: S608
    deadline = time.monotonic() + PUBLISHED_WITHIN
    while (seen := published(view, count)) < points:
        if time.monotonic() > deadline:
            raise SystemExit(
                f"the view {view} shows {seen} of {points} points after {PUBLISHED_WITHIN:.0f} s"
            )
        time.sleep(0.2)
    python, opened = shlex.quote(str(from_here(Path(sys.executable)))), from_here(view)
    query = f"SELECT key, step, timestamp, value FROM metrics WHERE run_id = '{run_id}'"  # noqa: S608
    program = (
        f"import duckdb; duckdb.execute(open('{opened}').read()); print(duckdb.sql(\\\"{query}\\\").df())"
    )
    print(f'in DuckDB and pandas, without Headrace:\n\n{python} -c "{program}"')


def from_here(path: Path) -> Path:
    """The shorter way to write a path below the working directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def published(view: Path, count: str) -> int:
    """Points that a reader of the published view sees now."""
    if not view.exists():
        return 0
    with duckdb.connect() as connection:
        connection.execute(view.read_text())
        (rows,) = connection.execute(count).fetchall()
        return int(rows[0])
