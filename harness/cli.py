"""The ``byom`` command: thin, every verb calls one room."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

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
