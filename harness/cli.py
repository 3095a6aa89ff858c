"""The ``byom`` command: thin, every verb calls one room."""

from __future__ import annotations

import dataclasses
import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from harness.simulator.model_server import ModelServer

app = typer.Typer(
    name="byom",
    help="Bring your own model: tools beside the pytest experiments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEFAULT_PORT = 8080
"""Where AWS's containers listen."""


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

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    typer.echo(f"Starting AWS's model server on {tarball} ...", err=True)
    try:
        with serve_tarball(tarball, port=port, entry_point=entry_point) as server:
            typer.echo(_welcome(server))
            while server.is_running():
                time.sleep(0.2)
            _fail(f"The model server has ended:\n{server.log()[-4000:]}")
    except HarnessError as error:
        _fail(str(error))
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


def _interrupt(*_: object) -> NoReturn:
    # The server is on its way out from here on; a second Ctrl-C must not keep it from getting there.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _fail(message: str) -> NoReturn:
    typer.echo(f"byom: {message}", err=True)
    raise typer.Exit(1)
