"""How long a whole deployment takes on the simulated account: ``python -m benchmarks.deploy_speed``.

Each repeat is a new process: it starts the account, imports the SDK, deploys the notebook's model, waits until
the endpoint is in service, asks it 100 times, and deletes everything. Beside it, a new process that only imports
``harness``, and one that only imports the SDK. They take turns; medians are told. Writes
``benchmarks/results/deploy_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from benchmarks import machine
from benchmarks.tarball_speed import notebook_model

RESULTS = Path(__file__).parent / "results"
PREDICTIONS = 100
SCRIPT = "def build_graph(): ...\n"

DEPLOY = f"""
import sys
from pathlib import Path
import numpy as np
from harness.cloud.deploy import deploy, resource_name
from harness.cloud.predictor import Predictor
from harness.cloud.session import import_sagemaker, simulated_cloud
from harness.simulator.account import REGION, ROLE, SimulatedAccount
from harness.tarball.verify import load_artifact

account = SimulatedAccount()
account.start(meanwhile=import_sagemaker)
cloud = simulated_cloud(account.url, role=ROLE, region=REGION)
folder = Path(sys.argv[1])
artifact = load_artifact(folder / "model.tar.gz")
deployment = deploy(cloud, artifact, name=resource_name(cloud, "speed"), entry_point=folder / "entry.py")
predictor = Predictor(cloud, deployment.endpoint_name)
for image in np.random.default_rng(0).random(({PREDICTIONS}, 1, 1, 28, 28), dtype=np.float32):
    assert predictor.predict(image).shape == (1, 10)
deployment.delete()
account.stop()
"""
CONTENDERS = {
    f"deploy, {PREDICTIONS} predictions, delete": DEPLOY,
    "import sagemaker": "from harness.cloud.session import import_sagemaker; import_sagemaker()",
    "import harness": "import harness",
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Time a deployment to the simulated account.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="byom-speed-") as name:
        samples = measure(Path(name), options.repeats)
    rows = [(name, f"{statistics.median(times):.2f}", f"{max(times):.2f}") for name, times in samples.items()]
    print(tabulate(rows, headers=["what", "median, s", "longest, s"], disable_numparse=True, tablefmt="github"))
    medians = {name: round(statistics.median(times), 3) for name, times in samples.items()}
    record = {"machine": machine.describe("cpu"), "repeats": options.repeats, "seconds": medians}
    (options.results / "deploy_speed.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Seconds of each contender, in turns."""
    from harness.tarball.export import pack

    model = folder / "model"
    model.mkdir()
    for name, content in notebook_model().items():
        (model / name).write_bytes(content)
    script = folder / "entry.py"
    script.write_text(SCRIPT, encoding="ascii")
    pack(model, folder / "model.tar.gz", entry_point=script)
    samples: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(repeats):
        for name, code in CONTENDERS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(folder)], check=True)
            samples[name].append(time.perf_counter() - started)
    return samples


if __name__ == "__main__":
    main()
