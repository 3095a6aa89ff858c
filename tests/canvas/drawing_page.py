"""The page to draw on as its user has it: strokes go in by mouse or finger, and what is shown comes out."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.canvas.server import About, Page, PageServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Locator, Request
    from playwright.sync_api import Page as Tab

    Point = Sequence[float]

MILLISECONDS = 20_000
"""How long anything may take to be seen; on a busy machine, a frame may take a second."""

REFUSED = "Failed to load resource"
"""Chromium complains of every status that is no success, and of a server that is gone."""

_NOTES = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


_INK = """
([x, y]) => new Promise((tell) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const pad = document.querySelector("#pad");
  const copy = new OffscreenCanvas(1, 1).getContext("2d");
  copy.drawImage(pad, -Math.floor(x * pad.width), -Math.floor(y * pad.height));
  tell([...copy.getImageData(0, 0, 1, 1).data]);
})))
"""

_INKS = """
() => {
  const rgba = (colour) => { const [r, g, b, a = 1] = colour.match(/[0-9.]+/g).map(Number); return [r, g, b, a]; };
  const up = function* (element) { for (; element; element = element.parentElement) yield element; };
  const styles = (element) => [...up(element)].map((one) => getComputedStyle(one));
  const ground = (element) => styles(element).map((one) => rgba(one.backgroundColor)).find((one) => one[3]);
  const opacity = (element) => styles(element).reduce((product, one) => product * one.opacity, 1);
  const ink = (name, element, kind, on) => [
    name, [...rgba(getComputedStyle(element)[kind]).slice(0, 3), opacity(element)], ground(on).slice(0, 3)];
  const isSeen = (element) => element.checkVisibility() && !element.closest(".unseen, :disabled, noscript, option");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const { parentElement: element, textContent: text } = walker.currentNode;
    const on = element.id === "hint" ? document.querySelector("#pad") : element;
    if (text.trim() && isSeen(element)) texts.push(ink(text.trim(), element, "color", on));
  }
  const seen = (selector) => [...document.querySelectorAll(selector)].filter(isSeen);
  return {
    texts: [...texts, ...seen("select").map((one) => ink("select", one, "color", one))],
    shapes: [
      ...seen(".most-likely .bar").map((one) => ink("bar", one, "backgroundColor", one.parentElement)),
      ...seen("button, select, #pad").map((one) => ink(one.id, one, "borderTopColor", one.parentElement)),
    ],
  };
}
"""


@dataclass
class Model:
    """Answers behind the page: what it is told to, when it is told to.

    Attributes:
        answer: probabilities for a picture.
        error: what it raises instead.
        may_answer: cleared, every question waits until it is set.
        pictures: what it was asked, (28, 28) each.
        most_at_once: questions that it was ever asked at the same time.
    """

    answer: Callable[[NDArray[np.float32]], list[float]]
    error: Exception | None = None
    may_answer: threading.Event = field(default_factory=threading.Event)
    pictures: list[NDArray[np.float32]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """It begins in a hurry."""
        self.may_answer.set()

    def __call__(self, picture: NDArray[np.float32]) -> NDArray[np.float64]:
        """Answer one question."""
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        self.pictures.append(picture)
        try:
            self.may_answer.wait(MILLISECONDS / 1000)
            if self.error is not None:
                raise self.error
            return np.array(self.answer(picture))
        finally:
            with self._lock:
                self._now -= 1


def sure_of(digit: int) -> list[float]:
    """Probabilities of which one is 0.91."""
    return [0.91 if index == digit else 0.01 for index in range(10)]


def read_line(picture: NDArray[np.float32]) -> list[float]:
    """One for what is higher than it is wide, zero for anything else."""
    rows, columns = (np.ptp(np.flatnonzero(picture.any(axis=axis))) for axis in (1, 0))
    return sure_of(1 if rows > columns else 0)


@contextmanager
def served(model: Model, *, source: str = "a model", price: str = "", port: int = 0) -> Iterator[str]:
    """The page's address, with that model behind it, which is let go in the end."""
    with PageServer(Page(model, About(source=source, price=price)), port) as server:
        try:
            yield server.url
        finally:
            model.may_answer.set()


@contextmanager
def opened(
    chromium: Browser, url: str, *, expected: str | None = None, is_still: bool = False, **look: Any
) -> Iterator[DrawingPage]:
    """The page in a browser without a history.

    Args:
        chromium: the browser.
        url: the page's address.
        expected: what complaints in the console may begin with; there must be none other in the end.
        is_still: whether the page's clock stands still once it is open, but for `DrawingPage.pass_time`.
        look: the browser's, as Playwright's `new_context` has it.
    """
    context = chromium.new_context(**look)
    try:
        page = DrawingPage(context, url, is_still=is_still)
        yield page
        assert page.faults(expected) == []
    finally:
        context.close()


class DrawingPage:
    """One tab.

    Attributes:
        tab: Playwright's page.
        questions: drawings that the page has sent, as JSON has them.
    """

    def __init__(self, context: BrowserContext, url: str, *, is_still: bool = False) -> None:
        self.tab: Tab = context.new_page()
        self.questions: list[dict[str, Any]] = []
        self._url = url
        self._protocol: CDPSession | None = None
        self._complaints: list[str] = []
        self._elsewhere: list[str] = []
        self.tab.on("console", self._hear)
        self.tab.on("pageerror", lambda error: self._complaints.append(f"raised: {error}"))
        self.tab.on("request", self._look)
        self.tab.add_init_script(_NOTES)
        if is_still:
            self.tab.clock.install()
        self.tab.goto(url)
        self.expect("#source").not_to_contain_text("Asking", timeout=MILLISECONDS)
        if is_still:
            self.tab.clock.pause_at(self.tab.evaluate("Date.now()") + MILLISECONDS)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complaints.append(message.text)

    def _look(self, request: Request) -> None:
        if not request.url.startswith((self._url, "blob:")):
            self._elsewhere.append(f"asked elsewhere: {request.url}")
        elif request.method == "POST":
            self.questions.append(json.loads(request.post_data or ""))

    def faults(self, expected: str | None = None) -> list[str]:
        """What a careful user would find in the browser's tools, but for complaints that are expected."""
        complaints = [text for text in self._complaints if expected is None or not text.startswith(expected)]
        return [*complaints, *self._elsewhere, *self.tab.evaluate("violations")]

    def find(self, selector: str) -> Locator:
        """An element."""
        return self.tab.locator(selector)

    def expect(self, selector: str) -> Any:
        """Playwright's assertions, which wait, on an element."""
        from playwright.sync_api import expect

        return expect(self.find(selector))

    def shows(self, selector: str, text: str) -> None:
        """Wait until an element's text is this one."""
        self.expect(selector).to_have_text(text, timeout=MILLISECONDS)

    def settle(self) -> None:
        """Wait until what is drawn now is answered."""
        self.expect("#bars").to_have_attribute("aria-busy", "false", timeout=MILLISECONDS)

    def place(self, point: Point) -> tuple[float, float]:
        """Where a point of the canvas, in its sides, is in the window."""
        left, top, side = self.tab.evaluate(
            "() => { const edge = document.querySelector('#pad').getBoundingClientRect();"
            " return [edge.left + 1, edge.top + 1, edge.width - 2]; }"  # without its border
        )
        return left + point[0] * side, top + point[1] * side

    def draw(self, *strokes: Iterable[Point]) -> None:
        """Draw with the mouse; points in sides of the canvas."""
        self.find("#pad").scroll_into_view_if_needed()
        origin, end = self.place((0, 0)), self.place((1, 1))
        for stroke in strokes:
            first, *rest = np.asarray(origin) + np.asarray(stroke) * (end[0] - origin[0])
            self.tab.mouse.move(*first)
            self.tab.mouse.down()
            for point in rest:
                self.tab.mouse.move(*point)
            self.tab.mouse.up()

    def touch(self, kind: str, *points: Point) -> None:
        """Fingers go down (touchStart), move (touchMove) or off (touchEnd); the points of all that are down."""
        places = [self.place(point) for point in points]
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self.send("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)

    def send(self, command: str, **arguments: Any) -> None:
        """What only Chromium's own protocol can do."""
        if self._protocol is None:
            self._protocol = self.tab.context.new_cdp_session(self.tab)
        self._protocol.send(command, arguments)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.tab.keyboard.press(key)

    def ink(self, point: Point) -> list[int]:
        """The canvas's colour there, red, green, blue and opacity, once it is painted."""
        found: list[int] = self.tab.evaluate(_INK, list(point))
        return found

    def new_ink(self, point: Point, before: list[int]) -> list[int]:
        """The same once it is another than before, or what it is after a second's frames."""
        frames = (self.ink(point) for _ in range(60))
        return next((found for found in frames if found != before), before)

    def is_inked(self, point: Point) -> bool:
        """Whether anything is drawn there."""
        return self.ink(point)[3] > 0

    def picture(self) -> NDArray[np.float32]:
        """What the page says that the model sees, (28, 28), 0 to 1."""
        levels = self.tab.evaluate(
            "() => { const copy = new OffscreenCanvas(28, 28).getContext('2d');"
            " copy.drawImage(document.querySelector('#picture'), 0, 0);"
            " return [...copy.getImageData(0, 0, 28, 28).data]; }"
        )
        return (np.array(levels).reshape(28, 28, 4)[..., 0] / 255).astype(np.float32)

    def shares(self) -> list[str]:
        """What stands beside the bars."""
        return [text.replace("\u00a0", " ") for text in self.find("#bars .share").all_text_contents()]

    def bars(self) -> list[float]:
        """How long the bars are, in shares of their track, once they have grown."""
        lengths: list[float] = self.tab.evaluate(
            "Promise.all(document.getAnimations().map((one) => one.finished)).then(() =>"
            " [...document.querySelectorAll('.bar')].map((bar) => bar.offsetWidth / bar.parentNode.clientWidth))"
        )
        return lengths

    def strokes(self) -> list[NDArray[np.float64]]:
        """What was last sent to be answered, once it is."""
        self.settle()
        return [np.array(stroke) for stroke in self.questions[-1]["strokes"]]

    def pass_time(self, milliseconds: int) -> None:
        """Let the clock of a page go on that was opened with `is_still`."""
        self.tab.clock.run_for(milliseconds)

    def watch(self, selector: str) -> None:
        """Note every text that an element has from here on."""
        self.tab.evaluate(
            "(selector) => { const element = document.querySelector(selector); window.texts = [];"
            " new MutationObserver(() => texts.push(element.textContent)).observe(element, { childList: true }); }",
            selector,
        )

    def watched(self) -> list[str]:
        """What `watch` has noted."""
        noted: list[str] = self.tab.evaluate("texts")
        return noted

    def contrasts(self, kind: str) -> list[tuple[float, str]]:
        """By WCAG's formula, of all texts, or of shapes: borders and the longest bar. The lowest comes first."""
        inks = self.tab.evaluate(_INKS)[kind]
        return sorted((contrast(_mixed(ink, ground), ground), name) for name, ink, ground in inks)


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two colours, red, green and blue of 0 to 255: 1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _mixed(ink: Sequence[float], ground: Sequence[float]) -> list[float]:
    *colour, opacity = ink
    return [opacity * above + (1 - opacity) * below for above, below in zip(colour, ground, strict=True)]


def _luminance(colour: Sequence[float]) -> float:
    parts = np.array(colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
