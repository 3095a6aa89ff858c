"""A program that starts a model server, an account with an endpoint, or both, and ends without stopping them.

``python simulator_owner.py TARBALL WHAT END``: WHAT is ``server``, ``account`` or ``both``; END is ``return``, ``exit``
or ``wait``. It prints the folders of what it started as JSON once everything answers, then waits for a line on its
standard input, or for ever.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tarball")]


def start_server(tarball: Path) -> object:
    """A model server that is ready."""
    from harness.artifact import CODE
    from harness.simulator.model_server import ModelServer
    from harness.tarball.extract import extract

    server = ModelServer({"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": f"/opt/ml/model/{CODE}"})
    extract(tarball, server.model_dir)
    server.start()
    return server


def start_account(tarball: Path) -> object:
    """An account with an endpoint in service."""
    from simulator_aws import Aws

    from harness.cloud.session import simulated_cloud
    from harness.simulator.account import REGION, ROLE, SimulatedAccount

    account = SimulatedAccount()
    account.start()
    aws = Aws(simulated_cloud(account.url, role=ROLE, region=REGION))
    aws.deploy("owned", tarball)
    assert aws.settled("owned")["EndpointStatus"] == "InService"
    return account


def main(tarball: Path, what: str, end: str) -> list[object]:
    """What was started; nobody stops it."""
    starts = {"server": [start_server], "account": [start_account], "both": [start_account, start_server]}[what]
    with ThreadPoolExecutor() as pool:
        owned = list(pool.map(lambda start: start(tarball), starts))
    print(json.dumps([str(vars(one).get("folder") or vars(one)["_folder"]) for one in owned]), flush=True)  # noqa: T201
    if end == "wait":
        time.sleep(600)
    sys.stdin.readline()
    if end == "exit":
        sys.exit(3)
    return owned


if __name__ == "__main__":
    kept = main(Path(sys.argv[1]), *sys.argv[2:])
