"""Reads a report's page as strictly as no browser would."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "img", "wbr", "br", "hr", "input"})
"""Elements of HTML that have no end tag."""


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        elements: every start tag with its attributes, in order.
        text: all text between tags, styles left out.
        faults: tags that do not match, attributes given twice.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self._pieces: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self._open]
        self.text = " ".join(" ".join(self._pieces).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self._note(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that closes itself."""
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which it must be."""
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"line {self.getpos()[0]}: </{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        """Note text."""
        if not {"style", "title"} & set(self._open):
            self._pieces.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        """Every value of an attribute."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.faults.append(f"line {self.getpos()[0]}: <{tag}> has an attribute twice")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
