"""The page in a real browser: a digit drawn on it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness import Drawing

pytestmark = [pytest.mark.browser, pytest.mark.serving]


def test_smoke(chromium: Any, digit_page: str, digits: dict[str, tuple[Drawing, ...]]) -> None:
    """x."""
    page = chromium.new_page()
    page.goto(digit_page)
    box = page.locator("#pad").bounding_box()
    [stroke, *_] = digits["7"][0].strokes
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
    page.mouse.move(*at[0])
    page.mouse.down()
    for one in at[1:]:
        page.mouse.move(*one)
    page.mouse.up()
    page.wait_for_selector("#answer[data-digit='7']")
