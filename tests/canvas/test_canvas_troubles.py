"""The page in a real browser with a stand-in for the model: impatient users, slow and broken endpoints."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from drawing_page import REFUSED, Model, contrast, opened, read_line, served, sure_of

from harness import Drawing, read_drawings
from harness.canvas import drawing as drawing_module
from harness.canvas.picture import mnist_picture, notebook_picture
from harness.errors import ServingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drawing_page import DrawingPage
    from playwright.sync_api import Browser, Dialog

pytestmark = pytest.mark.browser

DOWN = [(0.5, 0.2), (0.5, 0.8)]
ACROSS = [(0.2, 0.5), (0.8, 0.5)]

UNKNOWN = "\N{EN DASH}"
NOTHING = "Nothing is drawn yet."
ONE = "This is most likely a one (91\u00a0%)."
ZERO = "This is most likely a zero (91\u00a0%)."
WAITING = "Waiting for the endpoint …"
GONE = ServingError("endpoint <b>digits</b>: expected an answer, found status 500; start it again")
TIMES = "\N{MULTIPLICATION SIGN}"
TOLD = f"No answer to this drawing. {GONE}"


@pytest.fixture
def model() -> Model:
    """It tells lines down from lines across."""
    return Model(read_line)


@pytest.fixture
def url(model: Model) -> Iterator[str]:
    """The page with that model behind it."""
    with served(model) as address:
        yield address


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[DrawingPage]:
    """That page, of which nothing may be complained."""
    with opened(chromium, url) as opened_page:
        yield opened_page


def test_nothing_is_drawn_yet(page: DrawingPage, model: Model) -> None:
    """An untouched page asks nothing, shows nothing, and offers nothing that cannot be done."""
    page.shows("#answer", NOTHING)
    assert page.shares() == [UNKNOWN] * 10
    for button in ("#undo", "#clear", "#keep", "#save"):
        page.expect(button).to_be_disabled()
    page.expect("#again").to_be_hidden()
    page.expect("#hint").to_be_visible()
    page.expect("#price").to_be_hidden()
    assert model.pictures == []


def test_source_and_price_are_text(chromium: Browser) -> None:
    """What they say is shown as it is, whatever HTML it holds."""
    text = "<img src=x onerror=alert(1)> & <b>more</b>"
    with served(Model(read_line), source=text, price=text) as address, opened(chromium, address) as page:
        page.shows("#source", f"Answers come from {text}.")
        page.shows("#price", text)
        page.expect("#price").to_be_visible()


def test_two_digits_are_named(page: DrawingPage, model: Model) -> None:
    """Where the model is not sure, both of the likeliest are named, with their articles."""
    model.answer = lambda _: [0.02, 0, 0, 0.45, 0, 0.13, 0, 0, 0.4, 0]
    page.draw(DOWN)
    page.shows("#answer", "This could be a three (45\u00a0%), or an eight (40\u00a0%).")


def test_bars_stay_in_their_tracks(page: DrawingPage, model: Model) -> None:
    """Rounding may leave a probability a little above one, or below none."""
    for shares in ([0.5, 0.5, *[0.0] * 8], [1.0009, -0.0009, *[0.0] * 8]):
        model.answer = lambda _, shares=shares: shares  # type: ignore[misc]
        page.draw(DOWN)
        page.settle()
    lengths = page.find(".bar").evaluate_all("(bars) => bars.map((bar) => bar.style.inlineSize)")
    assert lengths == ["100%", *["0%"] * 9]


def test_a_wider_pen_draws_wider(page: DrawingPage, model: Model) -> None:
    """The drawing is asked about anew, with the width chosen, and more of it is ink."""
    page.find("#pen").fill("0.03")
    page.draw(DOWN)
    page.settle()
    page.find("#pen").fill("0.15")
    page.settle()
    assert page.questions[-1]["pen"] == 0.15
    assert model.pictures[-1].sum() > model.pictures[0].sum() > 0
    assert page.is_inked((0.56, 0.5))


def test_both_mappings_are_shown(page: DrawingPage, model: Model) -> None:
    """What the model sees is what it is said to see: with shades as MNIST has them, hard as the notebook had it."""
    page.draw([(0.3, 0.2), (0.5, 0.7), (0.6, 0.8)])
    page.settle()
    drawn = Drawing(page.strokes(), pen=page.questions[-1]["pen"])
    np.testing.assert_array_equal(page.picture(), mnist_picture(drawn))
    page.tab.get_by_label("as the notebook did").check()
    page.settle()
    np.testing.assert_array_equal(page.picture(), notebook_picture(drawn))
    assert set(np.unique(model.pictures[-1])) == {0, 1}
    page.tab.get_by_label("as MNIST was").check()
    page.settle()
    np.testing.assert_array_equal(page.picture(), mnist_picture(drawn))


def test_clear_clears(page: DrawingPage) -> None:
    """Nothing is left, neither of the drawing nor of its answer."""
    page.draw(DOWN)
    page.shows("#answer", ONE)
    page.find("#clear").click()
    page.shows("#answer", NOTHING)
    assert page.shares() == [UNKNOWN] * 10
    assert page.picture().max() == 0
    assert not page.is_inked((0.5, 0.5))
    for rest in ("#sorted", "#raw", "#latency", "#problem"):
        page.shows(rest, "")


@pytest.mark.parametrize("how", ["button", "Control+z"])
def test_undo_takes_the_last_stroke(page: DrawingPage, how: str) -> None:
    """Stroke by stroke, until nothing is left."""
    page.draw(DOWN, ACROSS)

    def undo() -> None:
        if how == "button":
            page.find("#undo").click()
        else:
            page.press(how)

    undo()
    page.shows("#answer", ONE)
    assert not page.is_inked((0.3, 0.5))
    assert page.is_inked((0.5, 0.3))
    undo()
    page.shows("#answer", NOTHING)
    page.press("Control+z")
    page.expect("#undo").to_be_disabled()


def test_redo_is_not_undo(page: DrawingPage) -> None:
    """Ctrl+Shift+Z takes nothing away."""
    page.draw(DOWN)
    page.press("Control+Shift+z")
    page.shows("#answer", ONE)
    assert page.is_inked((0.5, 0.5))


def test_undo_in_the_middle_of_a_stroke(page: DrawingPage) -> None:
    """The stroke ends, is gone, and what the mouse does until it is pressed again draws nothing."""
    page.draw(DOWN)
    page.tab.mouse.move(*page.place((0.2, 0.5)))
    page.tab.mouse.down()
    page.tab.mouse.move(*page.place((0.4, 0.5)))
    page.press("Control+z")
    page.tab.mouse.move(*page.place((0.8, 0.5)))
    page.tab.mouse.up()
    page.settle()
    [stroke] = page.strokes()
    np.testing.assert_allclose(stroke, DOWN, atol=1e-3)
    assert not page.is_inked((0.7, 0.6))


def test_a_finger_draws(chromium: Browser, url: str) -> None:
    """The page does not scroll meanwhile, and a second finger neither draws nor ends the first one's stroke."""
    with opened(chromium, url, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 600}) as page:
        page.touch("touchStart", (0.5, 0.8))
        page.touch("touchMove", (0.5, 0.6))
        page.touch("touchStart", (0.5, 0.6), (0.2, 0.2))
        page.touch("touchMove", (0.5, 0.4), (0.1, 0.1))
        page.touch("touchMove", (0.5, 0.2), (0.1, 0.1))
        page.touch("touchEnd")
        page.shows("#answer", ONE)
        [stroke] = page.strokes()
        np.testing.assert_allclose(stroke[:, 0], 0.5, atol=0.005)
        np.testing.assert_allclose(stroke[[0, -1], 1], [0.8, 0.2], atol=0.005)
        assert page.tab.evaluate("scrollY") == 0


def test_elsewhere_a_finger_scrolls(chromium: Browser, url: str) -> None:
    """The control: the same gesture beside the canvas moves the page."""
    with opened(chromium, url, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 600}) as page:
        for number in range(7):
            page.touch("touchMove" if number else "touchStart", (0.5, 1.3 - number / 10))
        page.touch("touchEnd")
        page.tab.wait_for_function("() => scrollY > 0")
        assert page.questions == []


def test_keys_draw(page: DrawingPage) -> None:
    """Space sets the pen down and lifts it, arrows and their corners move it, and the status says which."""
    page.press("Tab", "ArrowUp")
    assert page.questions == []
    page.press("Space")
    page.shows("#pen-state", "Pen down")
    page.expect("#pad").to_have_attribute("aria-label", "Canvas for one digit, pen down")
    page.press("Shift+ArrowLeft", "Home", "PageUp", "End", "PageDown", "ArrowDown", "ArrowRight", "Space")
    page.shows("#pen-state", "Pen up")
    page.press("ArrowLeft")
    page.settle()
    expected = [
        (0.5, 0.48), (0.42, 0.48), (0.4, 0.46), (0.42, 0.44), (0.4, 0.46), (0.42, 0.48), (0.42, 0.5), (0.44, 0.5),
    ]  # fmt: skip
    [stroke] = page.strokes()
    np.testing.assert_allclose(stroke, expected, atol=1e-9)
    assert page.tab.evaluate("scrollY") == 0
    page.press("Delete")
    page.shows("#answer", NOTHING)


@pytest.mark.parametrize("key", ["Control+z", "Delete", "Tab"])
def test_a_pen_that_is_lifted_says_so(page: DrawingPage, key: str) -> None:
    """Whatever ends a stroke of the keyboard, the status does not go on saying that the pen is down."""
    page.press("Tab", "Space", "ArrowDown", key)
    page.shows("#pen-state", "Pen up")
    page.expect("#pad").to_have_attribute("aria-label", "Canvas for one digit, pen up")


def test_focus_stays_where_one_draws(page: DrawingPage, model: Model) -> None:
    """A button that can do nothing any more hands the keyboard back to the canvas."""
    page.press("Tab", "Space", "ArrowDown", "Space", "Tab", "Tab")
    page.expect("#clear").to_be_focused()
    page.press("Enter")
    page.expect("#pad").to_be_focused()


RESIZES: dict[str, Callable[[DrawingPage], None]] = {
    "window": lambda page: page.tab.set_viewport_size({"width": 420, "height": 700}),
    "layout": lambda page: page.tab.evaluate("document.body.style.maxWidth = '30rem'"),
}


@pytest.mark.parametrize("how", RESIZES)
def test_a_drawing_survives_a_resize(page: DrawingPage, how: str) -> None:
    """It is drawn anew on the smaller canvas, in place, and not asked about again."""
    page.draw(DOWN)
    page.settle()
    asked = len(page.questions)
    before = page.tab.evaluate("document.querySelector('#pad').width")
    RESIZES[how](page)
    page.tab.wait_for_function("(before) => document.querySelector('#pad').width < before", arg=before)
    assert page.is_inked((0.5, 0.5))
    assert not page.is_inked((0.4, 0.5))
    assert len(page.questions) == asked


@pytest.mark.parametrize("look", [{"color_scheme": "dark"}, {"forced_colors": "active"}])
def test_a_drawing_takes_on_new_colours(page: DrawingPage, look: dict[str, Any]) -> None:
    """Ink is painted, so no style sheet changes it when the system's colours change."""
    page.draw(DOWN)
    before = page.ink((0.5, 0.5))
    page.tab.emulate_media(**look)
    after = page.new_ink((0.5, 0.5), before)
    assert before[3] == after[3] == 255
    assert before != after


def test_a_print_shows_the_drawing(page: DrawingPage) -> None:
    """Browsers leave out grounds when they print: light ink of a dark screen would be lost on paper."""
    for shown in ("#pad", "#picture", ".bar >> nth=0"):
        style = page.find(shown).evaluate("(element) => getComputedStyle(element).printColorAdjust")
        assert style == "exact"


def test_the_right_button_draws_nothing(page: DrawingPage) -> None:
    """It opens the browser's menu, but not in the middle of a stroke."""
    menus = "window.menus = []; addEventListener('contextmenu', (event) => menus.push(!event.defaultPrevented))"
    page.tab.evaluate(menus)
    page.tab.mouse.move(*page.place((0.5, 0.2)))
    page.tab.mouse.down(button="right")
    page.tab.mouse.move(*page.place((0.5, 0.8)))
    page.tab.mouse.up(button="right")
    page.expect("#undo").to_be_disabled()
    assert page.questions == []
    page.tab.mouse.down()
    page.tab.mouse.down(button="right")
    page.tab.mouse.up(button="right")
    page.tab.mouse.up()
    assert page.tab.evaluate("menus") == [True, False]


def test_a_stroke_ends_with_its_button(page: DrawingPage) -> None:
    """Not every browser tells when the left button is released while another one is held; the next move does."""
    page.tab.mouse.move(*page.place((0.5, 0.2)))
    page.tab.mouse.down()
    page.tab.mouse.move(*page.place((0.5, 0.6)))
    page.find("#pad").dispatch_event("pointermove", {"pointerId": 1, "buttons": 2, "clientX": 1, "clientY": 1})
    page.find("#pad").dispatch_event("pointermove", {"pointerId": 1, "buttons": 1, "clientX": 1, "clientY": 1})
    page.tab.mouse.up()
    page.settle()
    [stroke] = page.strokes()
    np.testing.assert_allclose(stroke, [(0.5, 0.2), (0.5, 0.6)], atol=0.005)


def test_a_stroke_may_leave_the_canvas(page: DrawingPage) -> None:
    """It goes on along the edge, is one stroke, and ends where the button is released, be it outside the window."""
    page.tab.mouse.move(*page.place((0.5, 0.5)))
    page.tab.mouse.down()
    for place in ((0.5, -0.4), (1.4, 0.5), (0.5, 0.5)):
        page.tab.mouse.move(*page.place(place))
    page.tab.mouse.move(-40, -40)
    page.tab.mouse.up()
    page.tab.mouse.move(*page.place((0.2, 0.8)))
    page.settle()
    [stroke] = page.strokes()
    np.testing.assert_allclose(stroke, [(0.5, 0.5), (0.5, 0), (1, 0.5), (0.5, 0.5), (0, 0)], atol=0.005)


def test_a_double_click_is_a_dot_twice(page: DrawingPage) -> None:
    """It selects no text, and a double click on a button does what one does."""
    page.find("#pad").dblclick()
    page.settle()
    assert [len(stroke) for stroke in page.strokes()] == [1, 1]
    assert page.find("#pad").evaluate("(pad) => getComputedStyle(pad).userSelect") == "none"
    page.find("#clear").dblclick(force=True)
    page.shows("#answer", NOTHING)


def test_too_long_a_drawing_is_told(chromium: Browser, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the harness; undoing a stroke helps."""
    monkeypatch.setattr(drawing_module, "MOST_POINTS", 3)
    with opened(chromium, url, expected=REFUSED) as page:
        page.draw(DOWN, ACROSS)
        page.expect("#problem").to_contain_text("expected at most 3 points, found 4; draw less")
        page.find("#undo").click()
        page.shows("#answer", ONE)
        page.shows("#problem", "")


def test_a_broken_endpoint_is_told(chromium: Browser, url: str, model: Model) -> None:
    """What was answered before is marked as old, nothing is proposed as what is drawn, and asking again helps."""
    with opened(chromium, url, expected=REFUSED) as page:
        page.draw(DOWN)
        page.shows("#answer", ONE)
        model.error = GONE
        page.draw(ACROSS)
        page.shows("#problem", TOLD)
        assert page.tab.get_by_role("alert").text_content() == TOLD
        page.expect("#bars").to_have_attribute("aria-busy", "true")
        assert float(page.find("#bars").evaluate("(bars) => getComputedStyle(bars).opacity")) < 1
        page.expect("#keep").to_be_disabled()
        page.watch("#problem")
        page.find("#again").click()
        page.tab.wait_for_function("() => texts.length === 2")
        assert page.watched() == ["", TOLD]
        model.error = None
        page.find("#again").focus()
        page.press("Enter")
        page.settle()
        page.shows("#problem", "")
        page.expect("#again").to_be_hidden()
        page.expect("#pad").to_be_focused()
        assert float(page.find("#bars").evaluate("(bars) => getComputedStyle(bars).opacity")) == 1


def test_the_next_stroke_asks_again(chromium: Browser, url: str, model: Model) -> None:
    """A page whose first drawing had no answer does not call it nothing, and recovers by itself."""
    with opened(chromium, url, expected=REFUSED) as page:
        model.error = GONE
        page.draw(DOWN)
        page.shows("#problem", TOLD)
        page.shows("#answer", "No answer yet.")
        model.error = None
        page.draw(DOWN)
        page.shows("#answer", ONE)
        page.shows("#problem", "")


def test_a_page_whose_server_is_gone(chromium: Browser, model: Model) -> None:
    """It says so; when byom draw runs again there, it is asked, and what it is is told anew."""
    with ExitStack() as ending:
        address = ending.enter_context(served(model, source="the old model"))
        with opened(chromium, address, expected=REFUSED) as page:
            ending.close()
            page.draw(DOWN)
            page.expect("#problem").to_contain_text("The program behind this page does not answer.")
            port = urlsplit(address).port or 0
            with served(model, source="the new model", port=port):
                page.tab.evaluate("dispatchEvent(new Event('focus'))")
                page.shows("#source", "Answers come from the new model.")
                page.find("#again").click()
                page.shows("#answer", ONE)


@pytest.mark.parametrize("body", ["<b>hello</b>", "null", '{"error": null}', '{"hello": "there"}'])
def test_another_program_on_the_port(page: DrawingPage, body: str) -> None:
    """What is no answer is told, and stops nothing."""
    page.tab.route("**/answer", lambda route: route.fulfill(body=body))
    page.draw(DOWN)
    told = "No answer to this drawing. Something else than an answer came back (status 200)."
    page.shows("#problem", told)
    page.tab.unroute("**/answer")
    page.find("#again").click()
    page.shows("#answer", ONE)


def test_a_slow_endpoint(page: DrawingPage, model: Model) -> None:
    """One waits, draws on, and the last drawing's answer wins; between, nothing is asked."""
    model.may_answer.clear()
    page.draw(DOWN)
    page.shows("#latency", WAITING)
    page.shows("#answer", "No answer yet.")
    page.expect("#keep").to_be_disabled()
    page.draw([(0.1, 0.5), (0.9, 0.5)])
    assert page.is_inked((0.3, 0.5))
    page.tab.get_by_label("as the notebook did").check()
    model.may_answer.set()
    page.shows("#answer", ZERO)
    page.settle()
    assert [question["mapping"] for question in page.questions] == ["mnist", "notebook"]
    assert [len(question["strokes"]) for question in page.questions] == [1, 2]
    assert model.most_at_once == 1
    page.expect("#latency").to_contain_text("ms from stroke to bars")


def test_an_answer_to_what_was_cleared(page: DrawingPage, model: Model) -> None:
    """It is not shown, neither on the empty canvas nor beside the next drawing."""
    model.answer = lambda _: sure_of(1 if len(model.pictures) == 1 else 0)
    model.may_answer.clear()
    page.watch("#answer")
    page.draw(DOWN)
    page.find("#clear").click()
    page.shows("#answer", NOTHING)
    page.draw(ACROSS)
    with page.tab.expect_response("**/answer"):
        model.may_answer.set()
    page.shows("#answer", ZERO)
    page.settle()
    assert ONE not in page.watched()


def test_waiting_behind_what_was_cleared(page: DrawingPage, model: Model) -> None:
    """A drawing that cannot even be sent, as an older request hangs, is waited for as any other."""
    model.may_answer.clear()
    page.draw(DOWN)
    page.shows("#latency", WAITING)
    page.find("#clear").click()
    page.shows("#latency", "")
    page.draw(ACROSS)
    page.shows("#latency", WAITING)
    assert len(page.questions) == 1


def test_a_quick_endpoint_is_not_waited_for(chromium: Browser, url: str) -> None:
    """The control: however long one looks at an answer, the page does not say that it waits."""
    with opened(chromium, url, is_still=True) as page:
        page.watch("#latency")
        page.draw(DOWN)
        page.settle()
        page.pass_time(5000)
        assert WAITING not in page.watched()


def test_a_result_is_spoken_once(chromium: Browser, url: str, model: Model) -> None:
    """When the drawing has rested for 0.7 s: not at each move of the pen, nor while one waits for the next answer."""
    with opened(chromium, url, is_still=True) as page:
        page.watch("#spoken")
        page.draw([(0.5, 0.2 + step / 20) for step in range(10)])
        page.settle()
        page.pass_time(600)
        model.may_answer.clear()
        page.draw(DOWN)
        page.pass_time(5000)
        model.may_answer.set()
        page.settle()
        page.pass_time(600)
        assert page.watched() == []
        page.pass_time(200)
        page.pass_time(5000)
        assert page.watched() == [ONE]


def test_what_is_kept_is_saved(page: DrawingPage, tmp_path: Path) -> None:
    """The file is what `read_drawings` reads, and holds what was drawn, by what it shows."""
    page.find("#pen").fill("0.05")
    strokes = {"1": [[(0.5123, 0.2), (0.51, 0.5), (0.5, 0.8)]], "0": [ACROSS, [(0.3, 0.3)]]}
    for drawn in strokes.values():
        page.draw(*drawn)
        page.settle()
        page.find("#keep").click()
        page.find("#clear").click()
    page.shows("#kept", f"Kept: 1 {TIMES} 0, 1 {TIMES} 1")
    with page.tab.expect_download() as download:
        page.find("#save").click()
    assert download.value.suggested_filename == "drawn-digits.json"
    download.value.save_as(tmp_path / "saved.json")
    saved = read_drawings(tmp_path / "saved.json")
    assert saved.keys() == strokes.keys()
    for label, drawn in strokes.items():
        [entry] = saved[label]
        assert entry.pen == 0.05
        for found, expected in zip(entry.strokes, drawn, strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_drawing_is_kept_once(page: DrawingPage) -> None:
    """A double click keeps one; the same drawing under another label was a mistake put right."""
    page.draw(DOWN)
    page.settle()
    page.find("#keep").dblclick()
    page.shows("#kept", f"Kept: 1 {TIMES} 1")
    page.find("#label").select_option("7")
    page.find("#keep").click()
    page.shows("#kept", f"Kept: 1 {TIMES} 7")


def test_the_users_label_stays(page: DrawingPage) -> None:
    """What somebody says that it shows is not taken back by an answer, but it is not true of the next drawing."""
    page.expect("#label").to_have_value("")
    page.draw(DOWN)
    page.expect("#label").to_have_value("1")
    page.find("#label").select_option("7")
    page.draw(DOWN)
    page.settle()
    page.expect("#label").to_have_value("7")
    page.find("#clear").click()
    page.expect("#label").to_have_value("")
    page.draw(ACROSS)
    page.expect("#label").to_have_value("0")


def test_leaving_without_saving_is_asked_about(page: DrawingPage) -> None:
    """What is kept is in the page alone until it is saved."""
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.tab.on("dialog", leave)
    page.draw(DOWN)
    page.tab.reload()
    page.draw(DOWN)
    page.settle()
    assert asked == []
    page.find("#keep").click()
    page.tab.reload()
    assert asked == ["beforeunload"]
    page.draw(DOWN)
    page.settle()
    page.find("#keep").click()
    with page.tab.expect_download():
        page.find("#save").click()
    page.tab.reload()
    assert asked == ["beforeunload"]


def test_two_tabs_do_not_mix(chromium: Browser, page: DrawingPage, url: str) -> None:
    """Each has its drawing, and its answer."""
    with opened(chromium, url) as other:
        page.draw(DOWN)
        other.draw(ACROSS)
        page.shows("#answer", ONE)
        other.shows("#answer", ZERO)


def test_a_screen_reader_finds_everything(page: DrawingPage) -> None:
    """Every region, control and result has its role and its name."""
    page.draw(DOWN)
    page.settle()
    page.expect("body").to_match_aria_snapshot(f"""
        - banner:
          - heading "Draw a digit" [level=1]
          - paragraph: Answers come from a model.
        - main:
          - region "Your drawing":
            - heading "Your drawing" [level=2]
            - application "Canvas for one digit, pen up"
            - button "Undo"
            - button "Clear"
            - slider "Pen"
            - status
          - region "What it answers":
            - paragraph: This is most likely a one (91 %).
            - status
            - table "Probability of each digit":
              - rowgroup:
                - row "0 1.0 %"
                - row "1 91.0 %"
            - alert
          - region "What the model sees":
            - img "Your drawing as the model sees it, white on black"
            - group "28 {TIMES} 28 pixels, made":
              - 'radio "as MNIST was: fitted, smooth, centred" [checked]'
              - 'radio "as the notebook did: black or white, where drawn"'
          - region "Keep it for a test":
            - combobox "It shows":
              - option "1" [selected]
            - button "Keep"
            - button "Save to a file" [disabled]
            - status
    """)


def test_a_page_that_complains_is_caught(chromium: Browser, url: str) -> None:
    """The control of what every test here ends with: errors, refused styles and scripts, and other hosts are noted."""
    with opened(chromium, url, expected="") as page:
        page.tab.evaluate("setTimeout(() => { throw new Error('oh'); })")
        page.tab.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: '1' }))")
        page.tab.evaluate("fetch('http://localhost:9/').catch(() => {})")
        page.tab.wait_for_function("() => violations.length === 2")
        faults = page.faults()
        page.tab.evaluate("violations.length = 0")
    assert {"script-src-elem", "connect-src"} <= set(faults)
    assert any("oh" in fault for fault in faults)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(chromium: Browser, url: str, model: Model, scheme: str) -> None:
    """Contrast as WCAG asks for: 4.5 for text, 3 for borders and the longest bar; where an answer is old, too."""
    with opened(chromium, url, expected=REFUSED, color_scheme=scheme) as page:
        page.tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        hold_to_contrast(page, fewest=20)
        page.draw(DOWN)
        page.settle()
        hold_to_contrast(page, fewest=30)
        model.error = GONE
        page.draw(ACROSS)
        page.shows("#problem", TOLD)
        hold_to_contrast(page, fewest=30)


def hold_to_contrast(page: DrawingPage, *, fewest: int) -> None:
    texts, shapes = page.contrasts("texts"), page.contrasts("shapes")
    assert len(texts) >= fewest
    assert texts[0] >= (4.5,)
    assert shapes[0] >= (3,)


def test_contrast_is_computed_as_wcag_does() -> None:
    """Black on white is 21; a grey that is well known to fail by little is 4.48."""
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("width", [200, 360])
def test_a_small_screen(chromium: Browser, url: str, model: Model, width: int) -> None:
    """Nothing is beyond its edge, not even a long word; a finger hits what it aims at; troubles are in sight."""
    size = {"width": width, "height": 740}
    with opened(chromium, url, expected=REFUSED, has_touch=True, is_mobile=True, viewport=size) as page:
        page.tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.draw(DOWN)
        page.settle()
        model.error = ServingError("x" * 300)
        page.find("#pen").fill("0.04")
        page.expect("#problem").to_contain_text("xxx")
        assert page.tab.evaluate("document.documentElement.scrollWidth") == width
        heights = page.tab.evaluate(
            "[...document.querySelectorAll('button, select, input[type=range], summary, fieldset label')]"
            ".filter((one) => one.checkVisibility()).map((one) => [one.tagName, one.getBoundingClientRect().height])"
        )
        assert len(heights) == 11
        assert min(height for _, height in heights) >= 24
        assert min(height for tag, height in heights if tag in {"BUTTON", "SELECT", "INPUT"}) >= 44
        above = "document.querySelector('#problem').getBoundingClientRect().top < "
        assert page.tab.evaluate(above + "document.querySelector('#bars').getBoundingClientRect().top")


@pytest.mark.parametrize(("wish", "seconds"), [("reduce", "0s"), ("no-preference", "0.08s")])
def test_bars_move_only_for_those_who_like_it(chromium: Browser, url: str, wish: str, seconds: str) -> None:
    """Whoever asks for reduced motion has none."""
    with opened(chromium, url, reduced_motion=wish) as page:
        style = page.find(".bar").first.evaluate("(bar) => getComputedStyle(bar).transitionDuration")
        assert style == seconds
