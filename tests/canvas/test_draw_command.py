"""``byom draw``, as a user runs it: with a tarball, with an endpoint, with what is neither, and until it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
import webbrowser
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

# Accounts, tiny models and the writer of MXNet's file formats live with the tests of other rooms.
sys.path += [str(Path(__file__).parents[1] / room) for room in ("cloud", "simulator", "tarball")]

import numpy as np
import pytest
import tarball_parts as parts
from leaks import flow
from left_things import IMAGE
from marked_processes import MARK, kill_marked, marked, wait_for, wait_until_gone
from simulator_models import Perceptron
from simulator_users import allow
from stand_in_account import invoked, stand_in_account

from harness import Drawing
from harness.artifact import CODE, PARAMETERS, SHAPES, SYMBOL
from harness.canvas.picture import mnist_picture
from harness.cli.draw import _ask
from harness.simulator.model_server import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from stand_in_account import StandIn

BYOM = Path(sys.executable).with_name("byom")

STROKES = [[[0.2, 0.2], [0.7, 0.2], [0.4, 0.8]]]
PICTURE = mnist_picture(Drawing(STROKES))

WEIGHTS = np.random.default_rng(11).normal(scale=0.1, size=(10, 784)).astype(np.float32)

START = "Starting AWS's model server on "

DELETED = "billed until it is deleted, drawing or not."


def probabilities() -> Any:
    """What the model of ten digits makes of the drawing."""
    powers = np.exp(WEIGHTS.astype(float) @ PICTURE.ravel())
    return powers / powers.sum()


def digits(path: Path, *shape: int, scripts: tuple[str, ...] = ("inference.py",)) -> Path:
    """A tarball of one layer for pictures in a shape, with scripts of which one alone serves."""
    variables = [parts.variable(name) for name in ("data", "fc_weight", "fc_bias", "softmax_label")]
    layer = {"op": "FullyConnected", "name": "fc", "attrs": {"num_hidden": "10"}}
    nodes = [
        *variables,
        {**layer, "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]]},
        {"op": "SoftmaxOutput", "name": "softmax", "inputs": [[4, 0, 0], [3, 0, 0]]},
    ]
    files = {
        SYMBOL: json.dumps({"nodes": nodes, "arg_nodes": [0, 1, 2, 3], "heads": [[5, 0, 0]]}).encode(),
        PARAMETERS: parts.parameters({"arg:fc_weight": WEIGHTS, "arg:fc_bias": np.zeros(10, np.float32)}),
        SHAPES: json.dumps([{"name": "data", "shape": [1, *shape]}]).encode(),
        **{f"{CODE}/{name}": b"raise SystemExit\n" if name == "bad.py" else b"" for name in scripts},
    }
    return parts.write(path, files)


def asked(url: str) -> tuple[int, dict[str, Any]]:
    """What the page at an address says to the drawing."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=60)
    connection.request("POST", "/answer", json.dumps({"strokes": STROKES}), {"Content-Type": "application/json"})
    with connection.getresponse() as answer:
        told = answer.status, json.load(answer)
    connection.close()
    return told


# In processes of their own: what starts, and how it ends.


@dataclass(frozen=True)
class Run:
    """A run of the command that shows a page.

    Attributes:
        mark: of its processes.
        line: its first line of output.
        browsed: where its browser writes down what it is to open.
    """

    process: subprocess.Popen[str]
    mark: str
    line: str
    browsed: Path

    @property
    def url(self) -> str:
        """Where it says that the page is."""
        match = re.match(r"Draw at (http://127\.0\.0\.1:\d+/), until Ctrl-C\. ", self.line)
        assert match, self.line
        return match[1]


@contextmanager
def started(browser: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A run of the command with a browser, and its mark."""
    mark = uuid.uuid4().hex
    environment = {**os.environ, MARK: mark, "BROWSER": str(browser)}
    command = [str(word) for word in (BYOM, "draw", *arguments)]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            yield process, mark
        finally:
            process.kill()
            kill_marked(mark)


def browser_in(folder: Path) -> Path:
    """A browser that writes down the address it is given."""
    folder.mkdir()
    path = folder / "browser"
    path.write_text(f'#!/bin/sh\necho "$1" > "{folder}/browsed"\n')
    path.chmod(0o700)
    return path


@pytest.fixture(scope="module")
def runs(aws: StandIn, endpoints: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Runs of the command, by how they will end; they start side by side, as that takes half the time."""
    folder = tmp_path_factory.mktemp("drawn")
    tarball = digits(folder / "model.tar.gz", 1, 28, 28, scripts=("good.py", "bad.py"))
    arguments: dict[str, list[object]] = {
        "SIGINT": [tarball, "--entry-point", "good.py"],
        "SIGTERM": ["--endpoint", "digits", "--account", aws.url, "--no-open"],
    }
    with ExitStack() as stack:
        processes = {}
        for name, given in arguments.items():
            processes[name] = stack.enter_context(started(browser_in(folder / name), *given))
        yield {
            name: Run(process, mark, _first_line(process), folder / name / "browsed")
            for name, (process, mark) in processes.items()
        }


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.serving
def test_a_tarball_answers_what_is_drawn(runs: dict[str, Run]) -> None:
    """The page is where it says, its browser was sent there, and AWS's model server gives the model's probabilities.

    The script is the one that was chosen. Ctrl-C then ends it all with code 0.
    """
    run = runs["SIGINT"]
    assert run.line.endswith(" Answers come from model.tar.gz, behind AWS's model server on this machine.\n")
    status, told = asked(run.url)
    assert status == 200
    np.testing.assert_allclose(told["probabilities"], probabilities(), atol=1e-6)
    assert told["picture"] == np.rint(PICTURE * 255).ravel().tolist()
    assert wait_for(run.browsed.exists, 10)
    run.process.send_signal(signal.SIGINT)
    output, errors = run.process.communicate(timeout=60)
    assert run.browsed.read_text() == f"{run.url}\n"
    assert run.process.returncode == 0
    assert output == ""
    assert errors.startswith(START)
    assert errors.endswith("/model.tar.gz ...\nStopped.\n")
    assert marked(run.mark) == []


def test_an_endpoint_answers_what_is_drawn(runs: dict[str, Run], aws: StandIn) -> None:
    """Its answer is on the page, no browser is opened if none is wanted, and SIGTERM ends it with code 0."""
    run = runs["SIGTERM"]
    assert run.line.endswith(f" Answers come from endpoint digits of the simulated account at {aws.url}.\n")
    assert asked(run.url) == TWO_CLASSES
    run.process.send_signal(signal.SIGTERM)
    output, errors = run.process.communicate(timeout=60)
    assert (run.process.returncode, output, errors) == (0, "", "Stopped.\n")
    assert not run.browsed.exists()
    assert marked(run.mark) == []


@pytest.mark.serving
def test_it_can_be_stopped_while_it_starts(tmp_path: Path) -> None:
    """Ctrl-C before the model server is ready ends that too."""
    tarball = digits(tmp_path / "model.tar.gz", 28, 28)
    with started(browser_in(tmp_path / "browser"), tarball, "--no-open") as (process, mark):
        assert wait_for(lambda: any(one.is_java for one in marked(mark)), 60)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, "")
        assert errors == f"{START}{tarball} ...\nStopped.\n"
        assert wait_until_gone(mark) == []


# In this process: what it says, and what it asks.

TWO_CLASSES = (
    502,
    {
        "error": "expected 10 probabilities, one for each digit, found an answer of shape (2,): "
        "is this a model of digits?"
    },
)
"""What the page says of a hollow account's answers."""


@pytest.fixture(scope="module")
def aws() -> Iterator[StandIn]:
    """An account on this machine, which stands in for AWS as well; its endpoints know two classes."""
    with stand_in_account() as account:
        yield account


@pytest.fixture(scope="module")
def endpoints(aws: StandIn, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One that serves and is called digits, and others that are called what they are."""
    s3, sagemaker = aws.root.client("s3"), aws.root.client("sagemaker")
    s3.create_bucket(Bucket=flow.BUCKET)
    s3.upload_file(str(Perceptron().tarball(tmp_path_factory.mktemp("two") / "model.tar.gz")), flow.BUCKET, "good")
    s3.put_object(Bucket=flow.BUCKET, Key="bad", Body=b"no tarball")
    one = {"InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
    serverless = {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
    made: dict[str, dict[str, Any]] = {
        "digits": one,
        "failed": one,
        "orphan": one,
        "two": {"InstanceType": "ml.t2.medium", "InitialInstanceCount": 2},
        "dear": {"InstanceType": "ml.p3.16xlarge", "InitialInstanceCount": 1},
        "serverless": serverless,
    }
    for name, variant in made.items():
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{flow.BUCKET}/{'bad' if name == 'failed' else 'good'}"}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=flow.ROLE)
        variants = [{"VariantName": "v", "ModelName": name, **variant}]
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    for name in made:
        assert wait_for(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != "Creating", 30)  # noqa: B023 - called at once
    sagemaker.delete_endpoint_config(EndpointConfigName="orphan")


@dataclass
class User:
    """Somebody who draws once, as soon as a browser shows the page, and then presses Ctrl-C.

    Attributes:
        opens: whether their browser does; an error if it raises one.
        told: what the page said.
        url: where it was.
    """

    opens: bool | Exception = True
    told: tuple[int, dict[str, Any]] | None = field(default=None, init=False)
    url: str = field(default="", init=False)

    def browse(self, url: str) -> bool:
        """A browser."""
        self.url, self.told = url, asked(url)
        if isinstance(self.opens, Exception):
            raise self.opens
        return self.opens

    def wait(self, seconds: float) -> NoReturn:
        """Ctrl-C."""
        assert seconds > 0
        raise KeyboardInterrupt


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> User:
    """Who is at the terminal of the commands that run in this process."""
    user = User()
    monkeypatch.setattr("harness.cli.draw.end_on_signals", lambda: None)
    monkeypatch.setattr("harness.cli.draw.time", SimpleNamespace(sleep=user.wait))
    monkeypatch.setattr(webbrowser, "open", user.browse)
    return user


def drawn(*arguments: object) -> Result:
    """A run of the command that ends as it should: with a status, not with an error of Python's."""
    done = invoked("draw", *arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def refused(*arguments: object, status: int = 1) -> str:
    """Why a run has shown no page, all of it."""
    done = drawn(*arguments)
    assert (done.exit_code, done.stdout) == (status, "")
    assert done.stderr.startswith("byom: ")
    return done.stderr.removeprefix("byom: ").removesuffix("\n")


class Hollow:
    """A model server without a model: writes down what it is asked.

    Attributes:
        bodies: what it was asked.
        answer: what it says to everything.
        is_there: whether it has not ended yet.
    """

    def __init__(self) -> None:
        self.is_there = True
        self.bodies: list[Any] = []
        self.answer = Answer(200, "application/json", json.dumps([[0.1] * 10]).encode())

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Write down, and answer."""
        assert (content_type, accept) == ("application/json", "application/json")
        self.bodies.append(json.loads(body))
        return self.answer

    def is_running(self) -> bool:
        """Whether its processes are there."""
        return self.is_there


@pytest.fixture
def hollow(monkeypatch: pytest.MonkeyPatch) -> Hollow:
    """What serves tarballs in this process."""
    server = Hollow()

    @contextmanager
    def serve(tarball: Path, *, entry_point: Path | None) -> Iterator[Hollow]:
        assert (tarball.name, entry_point) == ("model.tar.gz", None)
        yield server

    monkeypatch.setattr("harness.simulator.serve.serve_tarball", serve)
    return server


@pytest.mark.parametrize("shape", [(1, 28, 28), (28, 28), (784,), (28, 28, 1), (1, 784)], ids=str)
def test_a_model_is_asked_in_its_own_shape(user: User, hollow: Hollow, tmp_path: Path, shape: tuple[int, ...]) -> None:
    """However it takes the pixels of one picture, it gets a batch of one."""
    done = drawn(digits(tmp_path / "model.tar.gz", *shape))
    assert done.exit_code == 0
    [body] = hollow.bodies
    assert np.array_equal(np.array(body, np.float32), PICTURE.reshape(1, *shape))
    assert user.told is not None
    assert user.told[1]["probabilities"] == [0.1] * 10


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(500, "", b"no"), "model server: expected status 200, found 500: b'no'; byom serve shows why"),
        *(
            (Answer(200, "", body), f"model server: expected one row of numbers as JSON, found {body!r}")
            for body in (
                b"[[0.1], [0.2]]",
                b"[0.1]",
                b"0.1",
                b"[]",
                b"{}",
                b"<html>",
                b'[["a"]]',
                b"[[[0.1]]]",
                b"\xff",
            )
        ),
        (
            Answer(200, "", b"[[1%s]]" % (b"0" * 400)),
            f"model server: expected one row of numbers as JSON, found b'[[1{'0' * 197}'",
        ),
        (
            Answer(200, "", b"[" * 100_000),
            f"model server: expected one row of numbers as JSON, found b'{'[' * 200}'",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else repr(value.body[:12]),
)
def test_an_answer_that_is_none_is_told_on_the_page(
    user: User, hollow: Hollow, tmp_path: Path, answer: Answer, message: str
) -> None:
    """What the model server has said, and the command goes on until Ctrl-C."""
    hollow.answer = answer
    assert drawn(digits(tmp_path / "model.tar.gz", 28, 28)).exit_code == 0
    assert user.told == (502, {"error": message})


def test_a_model_server_that_ends_is_told(user: User, hollow: Hollow, tmp_path: Path) -> None:
    """The command ends with code 1, and not before somebody could have drawn."""
    hollow.is_there = False
    done = drawn(digits(tmp_path / "model.tar.gz", 28, 28))
    assert done.exit_code == 1
    assert done.stdout.startswith(f"Draw at {user.url}, until Ctrl-C. ")
    source = "model.tar.gz, behind AWS's model server on this machine"
    assert done.stderr.splitlines()[1:] == [f"byom: {source} has ended by itself; start byom draw again"]


@pytest.mark.parametrize("arguments", [[], ["--port", "0"], ["--account", "http://127.0.0.1:1"]], ids=" ".join)
def test_nothing_to_ask_is_refused(arguments: list[str]) -> None:
    """With status 2, as what was typed wrong."""
    message = "expected one of MODEL.TAR.GZ, --endpoint and --live-endpoint, found none"
    assert refused(*arguments, status=2) == message


def test_several_to_ask_are_refused() -> None:
    """Two or three; nothing is looked at."""
    given = ["no.tar.gz", "--endpoint=x", "--live-endpoint=y"]
    for arguments in (given, given[:2], given[1:], given[::2]):
        message = "expected one of MODEL.TAR.GZ, --endpoint and --live-endpoint, found several"
        assert refused(*arguments, status=2) == message


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_what_is_no_port_is_refused(port: str) -> None:
    """With the usage, as with any command."""
    done = drawn("no.tar.gz", "--port", port)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Invalid value for '--port'" in done.stderr


def test_a_tarball_that_is_not_there_is_told(user: User, tmp_path: Path) -> None:
    """Its path, and no traceback."""
    done = drawn(tmp_path / "no.tar.gz")
    assert (done.exit_code, done.stdout) == (1, "")
    start, first, problem = done.stderr.splitlines()
    assert start == f"{START}{tmp_path}/no.tar.gz ..."
    assert first.startswith(
        f"byom: {tmp_path}/no.tar.gz: expected a tarball that SageMaker's MXNet container can serve"
    )
    assert problem == "  [unreadable] expected a file, found nothing there; check the path"


@pytest.mark.parametrize("shape", [(4,), (3, 28, 28), (32, 32), (4, 14, 14), (14, 56), (28, 1), (783,)], ids=str)
def test_a_model_of_something_else_is_refused(user: User, tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Before anything is started: of as many numbers in another shape as well."""
    tarball = tmp_path / "model.tar.gz"
    if shape == (4,):
        Perceptron().tarball(tarball, inference="")
    else:
        weights = np.zeros((10, int(np.prod(shape))), np.float32)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules[__name__], "WEIGHTS", weights)
            digits(tarball, *shape)
    assert refused(tarball) == (
        f"{tarball}: expected a model with one input of 28 x 28 pixels, found inputs {{'data': {(1, *shape)}}}; "
        f"the page draws pictures of that size only"
    )


def test_an_endpoint_is_told_beforehand(user: User, aws: StandIn, endpoints: None) -> None:
    """Where the page is and what answers; of what is simulated no price."""
    done = drawn("--endpoint", "digits", "--account", aws.url)
    assert (done.exit_code, done.stderr) == (0, "Stopped.\n")
    source = f"endpoint digits of the simulated account at {aws.url}"
    assert done.stdout == f"Draw at {user.url}, until Ctrl-C. Answers come from {source}.\n"
    assert user.told == TWO_CLASSES


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("digits", f" runs on 1 x ml.m4.xlarge, up to $0.280 an hour: {DELETED}"),
        ("two", f" runs on 2 x ml.t2.medium, up to $0.130 an hour: {DELETED}"),
        ("dear", f" runs on 1 x ml.p3.16xlarge, at a price that is not known here: {DELETED}"),
        ("serverless", " is serverless: AWS bills each request."),
        ("orphan", f": its configuration was deleted, which alone tells what it runs on and costs: {DELETED}"),
    ],
)
def test_a_live_endpoints_price_is_told(user: User, aws: StandIn, endpoints: None, name: str, price: str) -> None:
    """On a line of its own, beside the account and the region, before anybody draws."""
    done = drawn("--live-endpoint", name)
    assert (done.exit_code, done.stderr) == (0, "Stopped.\n")
    source = f"live endpoint {name} in account {flow.ACCOUNT}, {flow.REGION}"
    assert done.stdout == (f"Draw at {user.url}, until Ctrl-C. Answers come from {source}.\nEndpoint {name}{price}\n")
    assert user.told == TWO_CLASSES


@pytest.mark.parametrize("kind", ["endpoint", "live-endpoint"])
def test_an_endpoint_that_does_not_answer_is_told(user: User, aws: StandIn, endpoints: None, kind: str) -> None:
    """One that is not there, by account and region; one that has failed, with AWS's reason."""
    account = "live" if kind.startswith("live") else "simulated"
    where = [] if account == "live" else ["--account", aws.url]
    message = f"endpoint nobodys: expected one of that name in the {account} account in us-east-1, found none"
    assert refused(f"--{kind}", "nobodys", *where) == message
    first, *_ = refused(f"--{kind}", "failed", *where).splitlines()
    assert first.startswith("endpoint failed: expected it to be InService, found Failed. The primary container for ")


def test_a_live_endpoint_is_looked_for_in_a_region(user: User, aws: StandIn, endpoints: None) -> None:
    """The one that is given, not the environment's."""
    message = "endpoint digits: expected one of that name in the live account in eu-west-1, found none"
    assert refused("--live-endpoint", "digits", "--region", "eu-west-1") == message


@pytest.mark.parametrize("operation", ["DescribeEndpoint", "DescribeEndpointConfig"])
def test_who_may_not_look_is_told(user: User, aws: StandIn, endpoints: None, operation: str) -> None:
    """Which line of policy is missing."""
    somebody = aws.user(f"without-{operation}")
    somebody.permit(*(allow(f"sagemaker:{one}") for one in ("DescribeEndpoint", "InvokeEndpoint") if one != operation))
    aws.be(somebody)
    try:
        told = refused("--live-endpoint", "digits")
    finally:
        aws.be_root()
    assert told.startswith("endpoint digits: AccessDeniedException: User: ")
    assert f'"Action": "sagemaker:{operation}"' in told


def test_who_may_not_ask_is_told_on_the_page(user: User, aws: StandIn, endpoints: None) -> None:
    """The price is told all the same, as looking is allowed."""
    somebody = aws.user("without-InvokeEndpoint")
    somebody.permit(allow("sagemaker:Describe*"))
    aws.be(somebody)
    try:
        done = drawn("--live-endpoint", "digits")
    finally:
        aws.be_root()
    assert "up to $0.280 an hour" in done.stdout
    assert user.told is not None
    status, told = user.told
    assert status == 502
    assert told["error"].startswith("endpoint digits: AccessDeniedException: User: ")
    assert '"Action": "sagemaker:InvokeEndpoint"' in told["error"]


def test_no_credentials_are_told(user: User, aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    message = "live AWS: expected credentials, found none; run `aws configure` or set AWS_ACCESS_KEY_ID"
    assert refused("--live-endpoint", "digits") == message


def test_an_account_that_is_not_running_is_told(user: User, aws: StandIn) -> None:
    """Where it was looked for, and how to start it; one that is no simulated account is not asked at all."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # but does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        told = refused("--endpoint", "digits", "--account", url)
    words = f'EndpointConnectionError: Could not connect to the endpoint URL: "{url}/"'
    assert told == f"endpoint digits: {words}; start it with: byom simulate"
    told = refused("--endpoint", "digits", "--account", "http://example.com")
    assert told.startswith("simulated account: expected an address on 127.0.0.1, found 'http://example.com'; ")


def test_a_port_that_is_taken_is_told(user: User, aws: StandIn, endpoints: None) -> None:
    """With what to do, before anything is started; one that is free is used."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        told = refused("--live-endpoint", "digits", "--port", port)
        assert refused("nowhere.tar.gz", "--port", port) == told
    words = "[Errno 98] Address already in use; choose another one"
    assert told == f"port {port} on 127.0.0.1 cannot be had: {words}"
    assert drawn("--live-endpoint", "digits", "--port", port).exit_code == 0
    assert user.url == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize(
    "opens", [False, webbrowser.Error("none"), ValueError("No closing quotation"), OSError(2, "no")]
)
def test_a_browser_that_does_not_open_is_no_failure(
    user: User, aws: StandIn, endpoints: None, opens: bool | Exception
) -> None:
    """The address is told once more, for whoever opens it in another way."""
    user.opens = opens
    done = drawn("--live-endpoint", "digits")
    assert done.exit_code == 0
    assert done.stderr == f"No browser could be opened; open {user.url} yourself.\nStopped.\n"


def test_an_endpoint_is_sent_a_batch_of_one_picture() -> None:
    """As the notebook's model takes it: (1, 1, 28, 28); the answer to it comes back."""
    bodies = []

    def invoke_endpoint(EndpointName: str, Body: bytes, **_: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        bodies.append(json.loads(Body))
        assert EndpointName == "digits"
        return {"Body": SimpleNamespace(read=lambda: b"[[0.25, 0.75]]")}

    cloud: Any = SimpleNamespace(client=lambda _: SimpleNamespace(invoke_endpoint=invoke_endpoint))
    assert _ask(cloud, "digits")(PICTURE).tolist() == [0.25, 0.75]
    assert np.array_equal(np.array(bodies[0], np.float32), PICTURE[None, None])


def test_the_command_explains_itself() -> None:
    """Its help names the three things that can answer."""
    text = " ".join(drawn("--help").stdout.split())
    for words in ("MODEL.TAR.GZ", "--endpoint", "--live-endpoint", "Its price is told", "centred by mass in 28 x 28"):
        assert words in text
