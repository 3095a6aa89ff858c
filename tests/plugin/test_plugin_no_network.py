"""A bare run makes no connection off this machine, whatever the environment invites it to.

Every Python process of an inner session gets an audit hook that raises, before anything leaves, for a name that is
looked up or an address that is spoken to outside loopback, and writes it down. Covered: pytest itself from the
interpreter's start on, the simulated account's server, and the model server's Python workers from the import of the
entry point on. Not covered: the supervisors, which import the standard library only and speak to nobody, and code that
is not Python: the model server's Java front end and MXNet's library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_experiment import ENTRY_POINT, EXPERIMENT, LEAVES_NOTHING, PASSES, SERVES, SETTING, Ran, run, write

if TYPE_CHECKING:
    from pathlib import Path

HOOK = """
import ipaddress
import os
import socket
import sys

FOLDER = {folder!r}
NAMED = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
ADDRESSED = ("socket.connect", "socket.sendto", "socket.sendmsg")


def write_down(file, line):
    with open(os.path.join(FOLDER, file), "a", encoding="utf-8") as record:
        record.write(line + "\\n")


def is_here(host):
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which somebody else would have to resolve
        return False


def refuse(event, args):
    if event in NAMED:
        host = args[0].decode() if isinstance(args[0], bytes) else args[0]
    elif event in ADDRESSED and args[0].family in (socket.AF_INET, socket.AF_INET6) and args[1]:
        host = args[1][0]
    else:
        return
    if not is_here(host):
        write_down("left.txt", f"{{event}} {{host}}")
        raise RuntimeError(f"refused before it left this machine: {{event}} {{host}}")


sys.addaudithook(refuse)
write_down("watched.txt", " ".join(sys.orig_argv))
"""

HOOKED_ENTRY_POINT = """
import os

if "SAGEMAKER_BASE_DIR" in os.environ:  # the container: its environment holds no PYTHONPATH of ours
    exec(open({hook!r}, encoding="utf-8").read(), {{"__name__": "hook"}})
"""

CREDENTIALS_FILE = """
[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY

[work]
aws_access_key_id = AKIAI44QH8DHBEXAMPLE
aws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY
region = eu-west-1
"""

CONNECTED_USER = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLETOKEN",
    "AWS_PROFILE": "work",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "false",
    "SAGEMAKER_ROLE": "arn:aws:iam::111122223333:role/sagemaker",
    "HTTP_PROXY": "http://proxy.invalid:3128",
    "HTTPS_PROXY": "http://proxy.invalid:3128",
    "http_proxy": "http://proxy.invalid:3128",
    "https_proxy": "http://proxy.invalid:3128",
    "ALL_PROXY": "http://proxy.invalid:3128",
    "NO_PROXY": "",
    "no_proxy": "",
}
"""What a user who is connected to a real account through a company's proxy has set."""

ROGUE = """
import boto3
import pytest


@pytest.mark.parametrize("proxy", [True, False])
def test_calls_aws(monkeypatch, proxy):
    if not proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name)
            monkeypatch.delenv(name.lower(), raising=False)
    boto3.client("sts", region_name="us-east-1").get_caller_identity()
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole experiment, in which every Python process is watched."""
    folder = tmp_path_factory.mktemp("watched")
    hook = folder / "site" / "sitecustomize.py"
    write(
        folder,
        tiny=HOOKED_ENTRY_POINT.format(hook=str(hook)) + ENTRY_POINT,
        test_whole=EXPERIMENT + SETTING + PASSES + SERVES,
        test_zz_after=LEAVES_NOTHING,
    )
    hook.parent.mkdir()
    hook.write_text(HOOK.format(folder=str(folder)), encoding="utf-8")
    (folder / ".aws").mkdir()
    (folder / ".aws" / "credentials").write_text(CREDENTIALS_FILE, encoding="utf-8")
    return folder


def run_watched(folder: Path, *arguments: str) -> Ran:
    """``pytest ARGUMENTS``, as the connected user starts it."""
    return run(folder, *arguments, env={**CONNECTED_USER, "PYTHONPATH": str(folder / "site")})


@pytest.fixture(scope="module")
def bare(watched: Path) -> tuple[Ran, list[str], list[str]]:
    """A bare ``pytest`` of the whole experiment; what tried to leave the machine; the processes that were watched."""
    ran = run_watched(watched)
    return ran, lines_of(watched / "left.txt"), lines_of(watched / "watched.txt")


def lines_of(path: Path) -> list[str]:
    """Lines of a file that may not exist."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_a_bare_run_stays_on_this_machine(bare: tuple[Ran, list[str], list[str]]) -> None:
    """With credentials, a profile, a role and proxies set, the whole pipeline passes and no address is off loopback."""
    ran, left, _ = bare
    assert left == []
    assert ran.code == 0, ran.output
    assert "in service after" in ran.row("whole")[7]


@pytest.mark.parametrize("process", ["-m pytest", "harness.simulator.account_server", "mms"])
def test_every_python_process_was_watched(bare: tuple[Ran, list[str], list[str]], process: str) -> None:
    """The hook was live in pytest, in the simulated account's server and in a worker of the model server."""
    _, _, processes = bare
    assert any(process in command for command in processes), processes


def test_a_call_to_aws_would_be_caught(watched: Path, bare: tuple[Ran, list[str], list[str]]) -> None:
    """Control: one test more that calls STS, through the proxy or directly, is stopped and written down."""
    assert bare[1] == []
    (watched / "test_rogue.py").write_text(ROGUE, encoding="utf-8")
    ran = run_watched(watched, "-k", "calls_aws")
    assert ran.code == 1
    ran.matches("*2 failed, *")
    assert {line.split()[1] for line in lines_of(watched / "left.txt")} == {
        "proxy.invalid",
        "sts.us-east-1.amazonaws.com",
    }
