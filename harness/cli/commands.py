"""The verbs of the ``byom`` command, and how it ends."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.draw import draw
from harness.cli.ending import end_on_signals, fail

if TYPE_CHECKING:
    from harness.simulator.model_server import ModelServer

app = typer.Typer(
    name="byom",
    help="Bring your own model: tools beside the pytest experiments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(draw)

DEFAULT_PORT = 8080
"""Where AWS's containers listen."""

DEFAULT_ACCOUNT_PORT = 5000
"""Where moto's server listens."""


def _print_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        typer.echo(f"byom {importlib.metadata.version('byom-harness')}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Bring your own model: tools beside the pytest experiments."""


@app.command()
def serve(
    tarball: Annotated[Path, typer.Argument(help="A model.tar.gz, as SageMaker reads it.", metavar="MODEL.TAR.GZ")],
    port: Annotated[int, typer.Option(help="Where to listen on 127.0.0.1; at most 32767.")] = DEFAULT_PORT,
    entry_point: Annotated[
        Path | None, typer.Option(help="The script to serve with; needed if the tarball's code/ holds several.")
    ] = None,
) -> None:
    """Serve a tarball with AWS's own model server, without Docker, until Ctrl-C."""
    from harness.errors import HarnessError
    from harness.simulator.serve import serve_tarball

    end_on_signals()
    typer.echo(f"Starting AWS's model server on {tarball} ...", err=True)
    try:
        with serve_tarball(tarball, port=port, entry_point=entry_point) as server:
            typer.echo(_welcome(server))
            while server.is_running():
                time.sleep(0.2)
            fail(f"The model server has ended:\n{server.log()[-4000:]}")
    except HarnessError as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)


@app.command()
def simulate(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0 for a free port.")
    ] = DEFAULT_ACCOUNT_PORT,
    creating_seconds: Annotated[float, typer.Option(help="An endpoint is Creating at least so long.")] = 0.0,
    deleting_seconds: Annotated[float, typer.Option(help="An endpoint is Deleting at least so long.")] = 0.0,
    list_lag_seconds: Annotated[float, typer.Option(help="Listings show the account as it was that long ago.")] = 0.0,
    requests_per_second: Annotated[
        float, typer.Option(help="What each operation of SageMaker takes before it throttles; 0 for no limit.")
    ] = 0.0,
    quota: Annotated[
        list[str] | None,
        typer.Option(
            help="Instances of a type for endpoints, such as ml.m4.xlarge=2. May be repeated.", metavar="TYPE=N"
        ),
    ] = None,
) -> None:
    """Run an AWS account on this machine, for boto3 and the AWS CLI, until Ctrl-C.

    S3, IAM, STS, CloudWatch Logs and SageMaker; an endpoint is AWS's own model server. Nothing outlives the command.

    Programs find it by AWS_ENDPOINT_URL, all but the SageMaker SDK's STS client, which has an address of its own.

    That client is what names the SDK's default bucket: pass the SDK a bucket, and a role's ARN.
    """
    from harness.errors import HarnessError
    from harness.simulator.account import SimulatedAccount
    from harness.simulator.behaviour import Behaviour

    end_on_signals()
    try:
        behaviour = Behaviour(
            creating_seconds=creating_seconds,
            deleting_seconds=deleting_seconds,
            list_lag_seconds=list_lag_seconds,
            requests_per_second=requests_per_second,
            quotas=dict(map(_parse_quota, quota or [])),
        )
        typer.echo("Starting a simulated AWS account ...", err=True)
        with SimulatedAccount(behaviour, port) as account:
            typer.echo(_exports(account.url))
            while account.is_running():
                time.sleep(0.2)
            fail("The simulated account has ended by itself; start it again")
    except HarnessError as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)


@app.command()
def verify(
    tarballs: Annotated[list[Path], typer.Argument(help="One model.tar.gz or more.", metavar="MODEL.TAR.GZ...")],
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object for each file, a line each.")] = False,
    load: Annotated[
        bool, typer.Option(help="Load what passes with AWS's own handler too, in a process of its own.")
    ] = True,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long loading one file may take.")] = 60,
) -> None:
    """Tell whether SageMaker's MXNet container could serve a tarball, with every reason why not.

    Exit status: 0 if all are valid, 1 if one is not, 2 if one cannot be read or loading cannot be tried here.
    """
    from contextlib import nullcontext

    from harness.errors import HarnessError
    from harness.tarball.loading import Loader
    from harness.tarball.telling import told_problems
    from harness.tarball.verify import verify as verify_tarball

    status = 0
    with Loader(seconds=seconds) if load else nullcontext() as loader:
        for tarball in tarballs:
            verdict: dict[str, Any] = {"path": str(tarball), "valid": None, "loaded": False, "problems": []}
            try:
                problems = verify_tarball(tarball, loader=loader)
            except HarnessError as error:  # nothing was found in its text, and it cannot be loaded here
                status, told = 2, f"{tarball}: not judged: {error}; or pass --no-load"
                verdict["error"] = str(error)
            else:
                unreadable = any(problem.code == "unreadable" for problem in problems)
                status = max(status, 2 if unreadable else bool(problems))
                told = told_problems(str(tarball), problems, loaded=load)
                listed = [dataclasses.asdict(problem) for problem in problems]
                verdict |= {"valid": not problems, "loaded": load and not problems, "problems": listed}
            typer.echo(json.dumps(verdict) if as_json else told, err=not as_json and "error" in verdict)
    raise typer.Exit(status)


@app.command()
def inspect(
    tarball: Annotated[Path, typer.Argument(help="A model.tar.gz.", metavar="MODEL.TAR.GZ")],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show what a tarball holds: members, inputs, outputs, layers, parameters, digest.

    Exit status: as that of verify --no-load.
    """
    from harness.tarball.facts import read_facts
    from harness.tarball.telling import told_facts, told_problems

    facts = read_facts(tarball)
    if as_json:
        typer.echo(json.dumps(facts.to_dict(), indent=2))
    else:
        if facts.sha256:
            typer.echo(told_facts(facts) + ("\n" if facts.problems else ""))
        if facts.problems:
            typer.echo(told_problems(facts.path, facts.problems, loaded=False))
    unreadable = any(problem.code == "unreadable" for problem in facts.problems)
    raise typer.Exit(2 if unreadable else min(len(facts.problems), 1))


@app.command()
def reap(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted, and delete nothing.")] = False,
    run: Annotated[
        str | None, typer.Option(metavar="ID", help="One run's things alone, also if they were kept on purpose.")
    ] = None,
    region: Annotated[str | None, typer.Option(metavar="NAME", help="Of AWS; the profile's unless given.")] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose; the caller's own ARN, or BYOM_OWNER, unless given.")
    ] = None,
) -> None:
    """Delete what killed or expired runs have left in AWS: from the ledger, and by tags where the ledger is lost.

    Things of a run whose process is still there, of other owners, and whatever carries no tags of the harness's, are
    not touched. Exit status: 0 if nothing is left, 1 if something is (with --dry-run: would be deleted), 2 if it cannot
    be looked for.
    """
    from harness.cloud.live import reaping_cloud
    from harness.cloud.reaper import reap as delete
    from harness.cloud.reaper import search
    from harness.errors import HarnessError

    try:
        cloud = reaping_cloud(region)
        ledger, who = cloud.recorder.ledger, cloud.recorder.run
        found = search(cloud, ledger, owner or who.owner, run=run)
        for line in found.passed_over:
            typer.echo(f"Not touched: {line}")
        for one in found.abandoned:
            typer.echo(f"{'Would delete' if dry_run else 'Deleting'} {one}")
        left = [] if dry_run else delete(cloud, ledger, found.abandoned)
        for leftover in left:
            typer.echo(f"byom: left over, and possibly billed: {leftover}", err=True)
        if not found.abandoned:
            typer.echo(f"Nothing to delete in account {who.account}, {who.region}, of {owner or who.owner}.")
        elif not dry_run and not left:
            typer.echo("All of it is gone.")
    except HarnessError as error:
        fail(str(error), status=2)
    raise typer.Exit(1 if left or (dry_run and found.abandoned) else 0)


@app.command()
def policy(
    account: Annotated[
        str, typer.Option(metavar="NUMBER", help="AWS's number of the account; any unless given.")
    ] = "*",
    region: Annotated[str, typer.Option(metavar="NAME", help="Of AWS; any unless given.")] = "*",
    role: Annotated[str, typer.Option(metavar="ARN", help="The role that models run under; any unless given.")] = "*",
    partition: Annotated[str, typer.Option(help="aws, aws-cn or aws-us-gov; that of the region unless given.")] = "",
) -> None:
    """Print the least IAM policy with which pytest -m aws, its clean-up and byom reap work."""
    from harness.cloud.policy import policy as document
    from harness.errors import HarnessError

    try:
        typer.echo(json.dumps(document(account=account, region=region, role=role, partition=partition), indent=2))
    except HarnessError as error:
        fail(str(error), status=2)


def main() -> None:
    """Entry point of the ``byom`` command."""
    app()


def _welcome(server: ModelServer) -> str:
    """Where it listens, what it takes, and a command to try."""
    from harness.artifact import SHAPES

    [entry, *_] = json.loads((server.model_dir / SHAPES).read_text(encoding="utf-8"))
    shape = entry["shape"][1:]
    blank = "0.0"
    for size in reversed([1, *shape]):
        blank = f"[{blank}] * {size}"
    return (
        f"Serving at {server.url}, until Ctrl-C. POST {server.url}/invocations takes application/json, text/csv and\n"
        f"application/x-npy: images of shape (n, {', '.join(map(str, shape))}). For instance:\n"
        f"  python3 -c 'print({blank})' |\n"
        f"    curl -sS -H 'Content-Type: application/json' -d @- {server.url}/invocations"
    )


def _parse_quota(text: str) -> tuple[str, int]:
    instance_type, _, instances = text.partition("=")
    if not instance_type.startswith("ml.") or not instances.isdecimal():
        raise typer.BadParameter(f"expected TYPE=N, such as ml.m4.xlarge=2, found {text!r}", param_hint="--quota")
    return instance_type, int(instances)


def _exports(url: str) -> str:
    """What a shell has to be told so that its programs take the account at that address for AWS."""
    from harness.simulator.account import REGION, ROLE

    settings = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "simulated",
        "AWS_SECRET_ACCESS_KEY": "simulated",
        "AWS_DEFAULT_REGION": REGION,
        "SAGEMAKER_ROLE": ROLE,
        "BYOM_AWS_STAND_IN": url,
    }
    lines = "\n".join(f"  export {name}={value}" for name, value in settings.items())
    return (
        f"Simulating an AWS account at {url}, until Ctrl-C. In the shell that is to use it:\n{lines}\n"
        f"The last line is for pytest -m aws, which then takes this account for AWS."
    )
