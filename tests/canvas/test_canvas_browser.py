"""The page in a real browser, the notebook's perceptron behind AWS's model server: what is drawn is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawing_page import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from playwright.sync_api import Browser

    from harness import Drawing

pytestmark = [pytest.mark.browser, pytest.mark.serving]

WORDS = ("a zero", "a one", "a two", "a three", "a four", "a five", "a six", "a seven", "an eight", "a nine")


def sparse(drawing: Drawing) -> list[NDArray[np.float64]]:
    """Its strokes as a slow computer tells them: the browser takes a frame for every point."""
    return [np.concatenate([stroke[:-1:4], stroke[-1:]]) for stroke in drawing.strokes]


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_is_read(chromium: Browser, digit_page: str, digits: dict[str, Sequence[Drawing]], digit: int) -> None:
    """Drawn by mouse, it is named in words, by its bar, in the list and in the raw result; and the time is told."""
    with opened(chromium, digit_page) as page:
        page.draw(*sparse(digits[str(digit)][0]))
        page.settle()
        [shares] = json.loads(page.find("#raw").text_content() or "")
        assert int(np.argmax(shares)) == digit
        assert page.find("#answer").text_content() == f"This is most likely {WORDS[digit]} ({percent(shares[digit])})."
        assert page.find("#bars .most-likely th").text_content() == str(digit)
        assert page.shares() == [f"{100 * share:.1f} %" for share in shares]
        np.testing.assert_allclose(page.bars(), shares, atol=0.01)
        listed = [int(text.split(":")[0]) for text in page.find("#sorted li").all_text_contents()]
        assert listed == sorted(range(10), key=lambda one: -shares[one])
        assert page.find("#label").input_value() == str(digit)
        assert page.picture().max() > 0.9
        page.expect("#latency").to_contain_text("ms from stroke to bars")


def percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"


def test_a_digit_is_read_without_a_pointer(chromium: Browser, digit_page: str) -> None:
    """A one that was drawn with the keyboard alone is a one."""
    with opened(chromium, digit_page) as page:
        page.press("Tab", *["ArrowUp"] * 3, "Space", *["Shift+ArrowDown"] * 3, "Space")
        page.settle()
        page.expect("#answer").to_contain_text("This is most likely a one")
