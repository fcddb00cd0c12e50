"""``many_runs.py FIRST COUNT POINTS`` logs runs one after the other, each of them seeded by its number."""

import sys

import numpy as np

import headrace

first, count, points = map(int, sys.argv[1:])

headrace.set_experiment("many")
for number in range(first, first + count):
    with headrace.start_run(run_name=f"run {number}"):
        for step, value in enumerate(np.random.default_rng(number).normal(size=points).tolist()):
            headrace.log_metric("loss", value, step)
