"""fixtures/workloads.json: the first ten losses of bench/workloads.ts, dropout off, as bench/peers/pytorch.py has them (float32).

What it reads is written by: npm run bench:peers -- --workloads W7a --competitors plain --rounds 1 --no-measures
"""

import json
import subprocess
import sys

from oracle import write

IDS = ["W1", "W2", "W3", "W4", "W5", "W6", "W7a", "W7b", "W8", "W9"]


def losses(workload):
    command = [sys.executable, "bench/peers/pytorch.py", workload, "check"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["losses"]


write("workloads", {workload: losses(workload) for workload in IDS})
