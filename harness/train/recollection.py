"""What a trainer remembers of earlier runs, and what it says of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.train.own_values import OpaqueError
from harness.train.provenance import check_sources, key_of
from harness.train.store import DamagedEntryError

if TYPE_CHECKING:
    from harness.experiment import Trial
    from harness.train.arrays import Arrays
    from harness.train.engine import Job
    from harness.train.progress import Progress
    from harness.train.store import Store, Stored


class Recollection:
    """A store as a trainer sees it: it never fails a training, and tells once what it does.

    Args:
        store: models of earlier runs; None if none are wanted.
        progress: where it is said.
        retrain: recall nothing, but keep what is trained.
    """

    def __init__(self, store: Store | None, progress: Progress, *, retrain: bool) -> None:
        self._store = store
        self._progress = progress
        self._retrain = retrain
        self._said: set[str] = set()
        self._keys: dict[tuple[Trial, str, str], str | None] = {}

    def recall(self, job: Job, arrays: Arrays, engine: str) -> Stored | None:
        """The model that an earlier run has trained for a job; None if it has to be trained."""
        key = self._key(job, arrays, engine)
        if self._store is None or self._retrain or key is None:
            return None
        try:
            found = self._store.get(key)
        except DamagedEntryError as error:
            self._progress.say(f"{job.trial}: a kept model was damaged, is discarded and trained anew ({error})")
            return None
        if found is not None:
            self._say_once(
                f"{job.trial.experiment.name}: trained models from {self._store.folder}; --retrain trains them anew"
            )
        return found

    def holds(self, job: Job, arrays: Arrays, engine: str) -> bool:
        """Whether `recall` will find something, damaged perhaps."""
        key = self._key(job, arrays, engine)
        return self._store is not None and not self._retrain and key is not None and self._store.holds(key)

    def keep(self, job: Job, arrays: Arrays, engine: str, stored: Stored) -> None:
        """Keep a model for later runs, under the key that its job had when it was last asked about."""
        if self._store is None:
            return
        asked = job.trial, job.symbol_json, engine
        # Not the key of now: training may have changed what it was made from, a schedule that counts for one.
        key = self._keys.pop(asked) if asked in self._keys else self._key(job, arrays, engine)
        if key is None:
            return
        try:
            check_sources()
            self._store.put(key, stored)
        except OpaqueError as error:
            self._say_unkept(job, error)
        except OSError as error:
            # The name of a temporary file, which is another one each time, is no part of what is said once.
            self._say_once(f"trained models are not kept in {self._store.folder}: {error.strerror or error}")

    def _key(self, job: Job, arrays: Arrays, engine: str) -> str | None:
        if self._store is None:
            return None
        key = None
        try:
            key = key_of(job, arrays, engine)
        except OpaqueError as error:
            self._say_unkept(job, error)
        self._keys[job.trial, job.symbol_json, engine] = key
        return key

    def _say_unkept(self, job: Job, reason: OpaqueError) -> None:
        self._say_once(f"{job.trial.experiment.name}: what is trained is not kept for later runs: {reason}")

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._progress.say(line)
