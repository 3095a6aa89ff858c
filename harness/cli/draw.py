"""``byom draw``: the page on which a digit is drawn, with a tarball or an endpoint behind it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.ending import end_on_signals, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.canvas.server import About, Answerer
    from harness.cloud.session import Cloud

ACCOUNT = "http://127.0.0.1:5000"
"""Where ``byom simulate`` listens unless told otherwise."""

_POLL_SECONDS = 0.2


def draw(
    tarball: Annotated[
        Path | None, typer.Argument(help="A model.tar.gz, served by AWS's model server.", metavar="MODEL.TAR.GZ")
    ] = None,
    *,
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="Or: an endpoint of the account that byom simulate runs.")
    ] = None,
    account: Annotated[str, typer.Option(metavar="URL", help="Where byom simulate listens.")] = ACCOUNT,
    live_endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="Or: an endpoint of your own AWS account. Its price is told.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the live endpoint; the profile's unless given.")
    ] = None,
    entry_point: Annotated[
        Path | None, typer.Option(help="The script to serve a tarball with, if its code/ holds several.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the page listens on 127.0.0.1; 0 for a free port.")
    ] = 0,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Draw a digit on a page, and watch what a model makes of it, until Ctrl-C.

    The drawing becomes a picture as MNIST's were made: fitted into 20 x 20 pixels, smooth, centred by mass in 28 x 28.
    """
    from harness.canvas.server import Page, PageServer, listen
    from harness.errors import HarnessError

    given = [source for source in (tarball, endpoint, live_endpoint) if source is not None]
    if len(given) != 1:
        found = "none" if not given else "several"
        fail(f"expected one of MODEL.TAR.GZ, --endpoint and --live-endpoint, found {found}", status=2)
    end_on_signals()
    try:
        if tarball is not None:
            source = _tarball(tarball, entry_point)
        else:
            source = _simulated(endpoint, account) if endpoint is not None else _live(str(live_endpoint), region)
        with listen(port) as place, source as (ask, about, is_there), PageServer(Page(ask, about), place) as server:
            typer.echo(f"Draw at {server.url}, until Ctrl-C. Answers come from {about.source}.")
            if about.price:
                typer.echo(about.price)
            if browser:
                _open(server.url)
            while is_there():
                time.sleep(_POLL_SECONDS)
            fail(f"{about.source} has ended by itself; start byom draw again")
    except HarnessError as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)


def _open(url: str) -> None:
    import webbrowser

    try:
        is_open = webbrowser.open(url)
    except (webbrowser.Error, OSError, ValueError):  # BROWSER may hold anything
        is_open = False
    if not is_open:
        typer.echo(f"No browser could be opened; open {url} yourself.", err=True)


@contextmanager
def _tarball(tarball: Path, entry_point: Path | None) -> Iterator[tuple[Answerer, About, Callable[[], bool]]]:
    from harness.canvas.server import About
    from harness.simulator.serve import one_answer, serve_tarball

    shape = _picture_shape(tarball)
    typer.echo(f"Starting AWS's model server on {tarball} ...", err=True)
    with serve_tarball(tarball, entry_point=entry_point) as server:
        about = About(source=f"{tarball.name}, behind AWS's model server on this machine")
        yield lambda picture: one_answer(server, picture.reshape(shape)), about, server.is_running


def _picture_shape(tarball: Path) -> tuple[int, ...]:
    """The shape in which a tarball's model takes each picture of a batch; serving says what else is wrong with it."""
    from harness.canvas.picture import SIDE
    from harness.errors import ArtifactError
    from harness.tarball.facts import read_facts

    facts = read_facts(tarball)
    shapes = list(facts.inputs.values())
    sides = [tuple(side for side in shape if side != 1) for shape in shapes]
    if not facts.problems and sides not in ([(SIDE, SIDE)], [(SIDE * SIDE,)]):
        raise ArtifactError(
            f"{tarball}: expected a model with one input of {SIDE} x {SIDE} pixels, found inputs {facts.inputs}; "
            f"the page draws pictures of that size only"
        )
    return shapes[0][1:] if shapes else (SIDE, SIDE)


@contextmanager
def _simulated(name: str, url: str) -> Iterator[tuple[Answerer, About, Callable[[], bool]]]:
    from harness.canvas.server import About
    from harness.cloud.running import find_running
    from harness.cloud.session import simulated_cloud
    from harness.simulator.account import REGION, ROLE

    cloud = simulated_cloud(url, role=ROLE, region=REGION)
    find_running(cloud, name)
    yield _ask(cloud, name), About(source=f"endpoint {name} of the simulated account at {url}"), lambda: True


@contextmanager
def _live(name: str, region: str | None) -> Iterator[tuple[Answerer, About, Callable[[], bool]]]:
    from harness.canvas.server import About
    from harness.cloud.live import reaping_cloud
    from harness.cloud.running import find_running

    cloud = reaping_cloud(region)
    running, who = find_running(cloud, name), cloud.recorder.run
    source = f"live endpoint {name} in account {who.account}, {who.region}"
    yield _ask(cloud, name), About(source=source, price=running.told_price()), lambda: True


def _ask(cloud: Cloud, name: str) -> Answerer:
    from harness.cloud.predictor import Predictor

    predictor = Predictor(cloud, name)
    return lambda picture: predictor.predict(picture[None, None])[0]
