"""The ``byom`` command: thin, every verb calls one room."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="byom",
    help="Bring your own model: tools beside the pytest experiments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEFAULT_PORT = 8080
"""Where AWS's containers listen."""


@app.callback()
def _group() -> None:
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
            typer.echo(
                f"Serving at {server.url}, until Ctrl-C. Ask it, for instance:\n"
                f"  curl -H 'Content-Type: application/json' -d @images.json {server.url}/invocations"
            )
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


def _interrupt(*_: object) -> NoReturn:
    # The server is on its way out from here on; a second Ctrl-C must not keep it from getting there.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _fail(message: str) -> NoReturn:
    typer.echo(f"byom: {message}", err=True)
    raise typer.Exit(1)
