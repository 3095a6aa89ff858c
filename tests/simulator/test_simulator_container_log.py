"""Reading the model server's log: texts as the server wrote them, shortened."""

from __future__ import annotations

import pytest

from harness.simulator import container_log

_TIME = "2026-11-22T17:07:13,300"
_WORKER = "com.amazonaws.ml.mms.wlm.WorkerLifeCycle"

STARTED = f"""\
WARNING: sun.reflect.Reflection.getCallerClass is not supported. This will impact performance.
{_TIME} [INFO] com.amazonaws.ml.mms.ModelServer -
MMS Home: /venv/lib/python3.11/site-packages
{_TIME} [WARN] {_WORKER} - attachIOStreams() threadName=W-9000-model
{_TIME} [INFO] {_WORKER} - Listening on port: /tmp/byom-a4xb87fo/tmp/.mms.sock.9000
{_TIME} [INFO] com.amazonaws.ml.mms.wlm.ModelManager - Model model loaded.
Model server started.
{_TIME} [INFO] {_WORKER} - Connection accepted: /tmp/byom-a4xb87fo/tmp/.mms.sock.9000.
"""

LOADED = f"{_TIME} [INFO] {_WORKER} - Model model loaded io_fd=02fc00fffe000001-0000322a-00000000-5c98c2ab\n"
ANSWERED = f"{_TIME} [INFO] com.amazonaws.ml.mms.wlm.WorkerThread - Backend response time: 2760\n"
DISCONNECTED = f"""\
{_TIME} [INFO] com.amazonaws.ml.mms.wlm.WorkerThread - 9000-31ea0fb4 Worker disconnected. WORKER_STARTED
{_TIME} [WARN] com.amazonaws.ml.mms.wlm.BatchAggregator - Load model failed: model, error: Worker died.
{_TIME} [INFO] com.amazonaws.ml.mms.wlm.WorkerThread - Retry worker: 9000-31ea0fb4 in 2 seconds.
"""

HARMLESS = """\
Traceback (most recent call last):
  File "/tmp/byom-3mhqs9kk/ml/model/code/m.py", line 3, in <module>
    1/0
    ~^~
ZeroDivisionError: division by zero"""

FATAL = """\
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/mms/model_loader.py", line 145, in load
    model_service.initialize(service.context)
  File "/tmp/byom-6lsoeiwo/ml/model/code/m.py", line 1, in <module>
    raise RuntimeError('café is closed')
RuntimeError: café is closed"""

CHAINED = """\
Traceback (most recent call last):
  File "/tmp/byom-6pr385ei/ml/model/code/m.py", line 3, in model_fn
    {}['weights']
    ~~^^^^^^^^^^^
KeyError: 'weights'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/mms/model_loader.py", line 145, in load
    model_service.initialize(service.context)
  File "/tmp/byom-6pr385ei/ml/model/code/m.py", line 5, in model_fn
    raise ValueError('no weights\\nhint: look again') from e
ValueError: no weights
hint: look again"""

DIED = """\
Backend worker process died.
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/mms/model_service_worker.py", line 177, in start_worker
    self.handle_connection(cl_socket)
  File "/venv/lib/python3.11/site-packages/mms/model_loader.py", line 121, in load
    self.module = importlib.import_module(module_name)
ModuleNotFoundError: No module named 'mxnet'"""

MXNETS = """\
Traceback (most recent call last):
  File "m.py", line 1, in f
    load()
mxnet.base.MXNetError: Traceback (most recent call last):
  File "../src/io/local_filesys.cc", line 209
LocalFileSystem: Check failed: allow_null:  :Open : No such file or directory"""


def printed(text: str, level: str = "INFO") -> str:
    """What a worker prints, as the server logs it."""
    return "".join(f"{_TIME} [{level}] {_WORKER} - {line}\n" for line in text.splitlines())


def test_a_server_whose_process_runs_has_not_loaded_the_model() -> None:
    """The server's own "Model model loaded." is about registering it, and counts for nothing."""
    assert not container_log.has_loaded(STARTED)
    assert not container_log.has_answered(STARTED)
    assert not container_log.has_died(STARTED)


def test_a_worker_that_says_so_has_loaded_the_model() -> None:
    """The worker's line is what counts, and without a traceback nothing failed."""
    log = STARTED + LOADED + ANSWERED
    assert container_log.has_loaded(log)
    assert container_log.load_failure(log) == ""


def test_a_silenced_worker_is_seen_to_answer() -> None:
    """A script that turns logging off hides the worker's line, not the server's."""
    assert not container_log.has_loaded(STARTED + ANSWERED)
    assert container_log.has_answered(STARTED + ANSWERED)


def test_a_traceback_of_the_loader_is_the_failure() -> None:
    """The server reports a model as loaded also when its ``initialize`` raised; the traceback tells, word for word."""
    log = STARTED + printed(FATAL) + LOADED + ANSWERED
    assert container_log.has_loaded(log)
    assert container_log.load_failure(log) == FATAL
    assert container_log.reason(FATAL) == "RuntimeError: café is closed"


def test_the_servers_own_lines_do_not_get_into_a_traceback() -> None:
    """The server logs ``attachIOStreams()`` under the worker's name, at times in the middle of what it prints."""
    first, rest = FATAL.split("\n", 1)
    log = STARTED + printed(first) + printed("attachIOStreams() threadName=W-model-1", "WARN") + printed(rest) + LOADED
    assert container_log.load_failure(log) == FATAL


def test_a_traceback_that_the_script_logged_is_harmless() -> None:
    """A script that catches an exception, prints its traceback and goes on has loaded."""
    log = STARTED + printed(HARMLESS, "WARN") + LOADED + ANSWERED
    assert container_log.has_loaded(log)
    assert container_log.load_failure(log) == ""


def test_a_traceback_after_loading_is_no_failure_to_load() -> None:
    """What a request provokes later says nothing about loading."""
    assert container_log.load_failure(STARTED + LOADED + printed(FATAL)) == ""


def test_a_harmless_traceback_does_not_hide_the_fatal_one() -> None:
    """The loader's traceback decides, and gives the reason, whatever was printed before it."""
    failure = container_log.load_failure(STARTED + printed(HARMLESS) + printed(FATAL) + LOADED)
    assert failure.endswith(FATAL)
    assert container_log.reason(failure) == "RuntimeError: café is closed"


def test_chained_tracebacks_are_given_whole() -> None:
    """The cause comes with the failure, and the reason is the exception that ended loading, not its cause."""
    failure = container_log.load_failure(STARTED + printed(CHAINED) + LOADED)
    assert failure == CHAINED
    assert container_log.reason(failure) == "ValueError: no weights"


def test_a_worker_that_dies_with_a_traceback_has_died() -> None:
    """The worker's last words are recognized, and the traceback after them is the failure."""
    log = STARTED + printed(DIED)
    assert container_log.has_died(log)
    assert container_log.reason(container_log.load_failure(log)) == "ModuleNotFoundError: No module named 'mxnet'"


def test_a_worker_that_dies_without_a_word_has_died() -> None:
    """``os._exit``, a segmentation fault or the kernel's memory killer leave the server's line alone."""
    log = STARTED + DISCONNECTED
    assert container_log.has_died(log)
    assert container_log.load_failure(log) == ""


def test_lines_that_only_look_like_the_workers_do_not_count() -> None:
    """A model that prints the server's words at the end of a line of its own does not make itself loaded or dead."""
    log = STARTED + printed("I say: Model model loaded io_fd=1") + printed("I say: Backend worker process died")
    assert not container_log.has_loaded(log)
    assert not container_log.has_died(log)


@pytest.mark.parametrize(
    ("traceback", "reason"),
    [
        ("Traceback (most recent call last):\n  File \"m.py\", line 1, in f\n    f()\nKeyError: 'x'", "KeyError: 'x'"),
        ('Traceback (most recent call last):\n  File "m.py", line 1, in f\n    f()\nAssertionError', "AssertionError"),
        (
            'Traceback (most recent call last):\n  File "m.py", line 9\n    def f(:\n          ^\nSyntaxError: invalid',
            "SyntaxError: invalid",
        ),
        (
            MXNETS,
            "LocalFileSystem: Check failed: allow_null:  :Open : No such file or directory",
        ),
        (
            'Traceback (most recent call last):\n  File "m.py", line 1, in f\n    f()\na.b.Error: one\ntwo: three',
            "a.b.Error: one",
        ),
        ("no traceback at all\nlast line", "last line"),
        ("", ""),
    ],
    ids=["message", "no-message", "syntax", "mxnet", "many-lines", "not-a-traceback", "nothing"],
)
def test_reason_is_the_line_of_the_exception(traceback: str, reason: str) -> None:
    """Frames, source lines, carets and the message's further lines are left out."""
    assert container_log.reason(traceback) == reason


def test_tail_gives_the_last_lines() -> None:
    """The end of a log is what a message shows."""
    assert container_log.tail("1\n2\n3", 2) == "2\n3"
    assert container_log.tail("", 2) == ""
