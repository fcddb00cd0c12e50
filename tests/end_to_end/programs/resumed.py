"""Logs the steps FIRST up to LAST in a run that ``start_run(**ARGUMENTS)`` gives, and does not end it.

``resumed.py ARGUMENTS FIRST LAST KEY VALUE``; prints the run's id when all is durable, or at once when no
daemon answers.
"""

import json
import os
import sys

import headrace

arguments, first, last, key, value = sys.argv[1:]
run = headrace.start_run(**json.loads(arguments))
for step in range(int(first), int(last)):
    headrace.log_metric(key, float(value), step)
if os.environ.get("WAIT", "1") == "1":
    headrace.flush(60)
sys.stdout.write(run.info.run_id)
sys.stdout.flush()
os._exit(0)  # as a process that is killed
