"""Kills a live run at every call that it makes to AWS, and waits until what it had made is gone.

``python kills.py URL FOLDER [--step N] [--share JOB JOBS]`` prints one JSON object for each kill. Each run is a fork of
this process, which has loaded the SageMaker SDK once. It dies by SIGKILL just before a request is sent, or just after
its effect. Then either its watcher cleans up, or the watcher is killed as well and ``byom reap`` does.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS), str(TESTS / "cloud"), str(TESTS / "simulator"), str(TESTS / "tarball")]

from marked_processes import MARK, kill_marked, marked  # noqa: E402

from leaks import flow  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.artifact import Artifact

MOMENTS, MEANS = ("before", "after"), ("watcher", "reap")
PATIENCE = 60.0

ATTEMPTS = 5
"""Runs until one gets as far as the request at which it is to die: a faster one asks after its endpoint less often."""


@dataclass(frozen=True)
class Death:
    """One killed run.

    Attributes:
        at: number of the request, from 0 on.
        operation: which request.
        moment: ``before`` or ``after`` its effect.
        means: what cleaned up: ``watcher`` or ``reap``.
        made: how many things there were when it died.
        left: what was still there after a minute.
        seconds: from death until all was gone.
    """

    at: int
    operation: str
    moment: str
    means: str
    made: int
    left: list[str]
    seconds: float


class Killer:
    """Runs in one account, each killed somewhere.

    Args:
        url: of a hollow account.
        folder: for ledgers.
        artifact: what is deployed.
        script: its entry point.
    """

    def __init__(self, url: str, folder: Path, artifact: Artifact, script: Path) -> None:
        self._url, self._folder, self._artifact, self._script = url, folder, artifact, script
        self._bystander = flow.open_account(url, folder / "bystander", run="00000000")
        self._before = flow.everything(self._bystander)

    def record(self) -> list[str]:
        """The requests of a run that nobody kills."""
        seen, state = self._folder / "seen", self._folder / "recorded"
        pid = os.fork()
        if pid == 0:
            self._live(state, "00000001", seen=seen)
        _, status = os.waitpid(pid, 0)
        assert status == 0, "the run that nobody kills failed"
        assert not self._left(), f"the run that nobody kills leaked {self._left()}"
        return seen.read_text(encoding="ascii").split()

    def kill(self, at: int, operation: str, moment: str, means: str) -> Death | None:
        """One run, killed at one request; None if no run gets that far: how often it has to look varies."""
        number = self._killed(at, operation, moment)
        if number is None:
            return None
        state = self._folder / number
        died, made = time.monotonic(), len(self._left())
        try:
            if means == "reap":
                kill_marked(number)
                self._reap(state)
            while (left := self._left()) and time.monotonic() - died < PATIENCE:
                time.sleep(0.05)
            seconds = time.monotonic() - died
            while marked(number) and time.monotonic() - died < PATIENCE:
                time.sleep(0.05)
            left_open = [f"still watched: {process.pid}" for process in marked(number)]
        finally:
            kill_marked(number)
        return Death(at, operation, moment, means, made, sorted(map(str, left)) + left_open, round(seconds, 2))

    def _killed(self, at: int, operation: str, moment: str) -> str | None:
        """The number of a run that is dead now."""
        for _ in range(ATTEMPTS):
            number = uuid.uuid4().hex[:8]
            pid = os.fork()
            if pid == 0:
                os.environ[MARK] = number
                self._live(self._folder / number, number, at=at, moment=moment)
            _, status = os.waitpid(pid, 0)
            if os.WIFSIGNALED(status):
                return number
            assert status == 0, f"it was to be killed at {operation}, and ended with {status}"
            assert not self._left(), f"a run that was too short to be killed leaked {self._left()}"
        return None

    def _left(self) -> set[Any]:
        return flow.everything(self._bystander) - self._before

    def _reap(self, state: Path) -> None:
        command = [sys.executable, "-W", "ignore", "-c", "from harness.cli import main; main()", "reap"]
        environment = {**os.environ, **self._environment(state)}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def _environment(self, state: Path) -> dict[str, str]:
        return {
            "BYOM_STATE_DIR": str(state),
            "BYOM_AWS_STAND_IN": self._url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_DEFAULT_REGION": flow.REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BYOM_OWNER": flow.OWNER,
        }

    def _live(self, state: Path, run: str, *, at: int = -1, moment: str = "", seen: Path | None = None) -> None:
        """In a fork: the whole live path; never returns."""
        status = 1
        os.dup2(2, 1)  # what the SDK prints is no line of ours
        try:
            os.environ.update(self._environment(state))
            from harness.cloud import live

            calls: list[str] = []
            redirected = live.redirected

            def doomed(boto: Any, url: str) -> Any:
                boto.events.register_first("before-send", lambda **given: _count(calls, at, moment, url, **given))
                return redirected(boto, url)

            live.redirected = doomed  # type: ignore[assignment]
            cloud = live.live_cloud(live.Terms(role=flow.ROLE), run=run, session=run)
            with live.in_use(cloud, say=lambda _: None):
                flow.deploy_validate_delete(cloud, self._artifact, self._script)
            if seen is not None:
                seen.write_text("\n".join(calls), encoding="ascii")
            status = 0
        except BaseException as error:  # noqa: BLE001 - a fork must not run on as its parent would
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        finally:
            os._exit(status)


def _count(calls: list[str], at: int, moment: str, url: str, *, request: Any, event_name: str, **_: Any) -> None:
    from harness.cloud.session import _Redirect

    calls.append(event_name.removeprefix("before-send."))
    if len(calls) - 1 == at:
        if moment == "after":
            _Redirect(url)(request=request)
        os.kill(os.getpid(), signal.SIGKILL)


def campaign(
    url: str, folder: Path, artifact: Artifact, script: Path, *, step: int, share: tuple[int, int]
) -> Iterator[Death]:
    """Kill at every ``step``-th moment; with step 1 let both means clean up, otherwise by turns.

    Args:
        url: of a hollow account.
        folder: for ledgers.
        artifact: what is deployed.
        script: its entry point.
        step: at every so many-th moment, of two for each request.
        share: number of this job, and of how many: each takes its share.
    """
    from harness.cloud.session import import_sagemaker

    import_sagemaker()
    sys.excepthook = sys.__excepthook__  # the SDK's writes to where the results go
    killer = Killer(url, folder, artifact, script)
    calls = killer.record()
    points = [(at, moment) for at in range(len(calls)) for moment in MOMENTS][::step]
    both = [(*point, means) for point in points for means in MEANS]
    by_turns = [(*point, MEANS[number % 2]) for number, point in enumerate(points)]
    job, jobs = share
    for at, moment, means in (both if step == 1 else by_turns)[job::jobs]:
        death = killer.kill(at, calls[at], moment, means)
        if death is not None:
            yield death


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1), metavar=("JOB", "JOBS"))
    given = parser.parse_args()
    from simulator_models import Perceptron

    from harness.tarball.verify import load_artifact

    given.folder.mkdir(parents=True, exist_ok=True)
    script = given.folder / "inference.py"
    script.write_text("def build_graph(): pass\n", encoding="ascii")
    artifact = load_artifact(Perceptron().tarball(given.folder / "model.tar.gz"))
    for death in campaign(given.url, given.folder, artifact, script, step=given.step, share=tuple(given.share)):
        print(json.dumps(asdict(death)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
