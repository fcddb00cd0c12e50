"""One process of a job: ``rank.py STEPS VALUES RETURNED PAUSE`` logs the points of two .npy files.

After each call it writes to RETURNED how many have returned, so that a test knows what must survive a kill.
"""

import sys
import time

import numpy as np

import headrace

steps = np.load(sys.argv[1]).tolist()
values = np.load(sys.argv[2]).tolist()
returned = np.memmap(sys.argv[3], "<u8", "r+")
pause = float(sys.argv[4])

with headrace.start_run():
    for count, (step, value) in enumerate(zip(steps, values, strict=True), start=1):
        headrace.log_metric("loss", value, step)
        returned[0] = count
        if pause and count % 100 == 0:
            time.sleep(pause)
