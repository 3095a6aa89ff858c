"""One job of the leak campaign: ``python -m benchmarks.leak_campaign_worker WHAT STEP JOB JOBS`` prints JSON lines."""

from __future__ import annotations

import json
import sys

from benchmarks.leak_campaign import work

if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    for entry in work(what, *map(int, numbers)):
        print(json.dumps(entry), flush=True)
