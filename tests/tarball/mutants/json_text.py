"""Mutants of a file of JSON as text: tokens, numbers, escapes, repeated keys, depth, breadth, encodings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from mutants.archive_bytes import FileMutator
    from mutants.seed_models import Files

TextEdit = Callable[["Random", str], str]

TOKEN = re.compile(r'"[^"\\]*"|-?\d+|[][{}:,]')
NUMBERS = ["1.0", "1e0", "-0", "+1", "01", "0x1", "1_0", "1e999", "9" * 30, "9" * 5000, "-1", "2147483648", "1 2", ".5"]
WORDS = ["NaN", "Infinity", "-Infinity", "null", "true", "false", "None", "'x'", '""', "[]", "{}", '"0"', "undefined"]
ESCAPES = [
    "\\u0041",
    "\\ud800",
    "\\udc00\\ud800",
    "\\u0000",
    "\\/",
    "\\n",
    "\\b",
    "\\f",
    "\\x41",
    "\\",
    "\t",
    "\x01",
    "é",
]


def token(draw: Random, text: str) -> str:
    """One token of JSON replaced by another, dropped or doubled."""
    found = list(TOKEN.finditer(text))
    one, other = draw.choice(found), draw.choice(found)
    new = draw.choice([other[0], "", one[0] * 2, draw.choice(NUMBERS + WORDS)])
    return text[: one.start()] + new + text[one.end() :]


def number(draw: Random, text: str) -> str:
    """A number written otherwise, or another."""
    one = draw.choice(list(re.finditer(r"(?<=[ \[])\d+(?=[,\]\n])", text)))
    return text[: one.start()] + draw.choice(NUMBERS) + text[one.end() :]


def escape(draw: Random, text: str) -> str:
    """Escapes, control characters and letters beyond ASCII inside a string."""
    one = draw.choice(list(re.finditer(r'"[^"\\]+"', text)))
    place = draw.randrange(one.start() + 1, one.end())
    return text[:place] + draw.choice(ESCAPES) + text[place:]


def escaped_name(draw: Random, text: str) -> str:
    """A letter of strings written as its escape, which is the same string to a reader that knows escapes."""
    one = draw.choice(list(re.finditer(r'"[^"\\]+"', text)))
    letter = draw.randrange(one.start() + 1, one.end() - 1)
    return text[:letter] + f"\\u{ord(text[letter]):04x}" + text[letter + 1 :]


def twice(draw: Random, text: str) -> str:
    """A key twice in its object, the second time with another value."""
    one = draw.choice(list(re.finditer(r'"(\w+)": (?=\S)', text)))
    value = draw.choice(['"x"', "0", "[]", "[[0, 0, 0]]", '"3"', "null", '"null"', "{}"])
    return text[: one.start()] + f'"{one[1]}": {value}, ' + text[one.start() :]


def around(draw: Random, text: str) -> str:
    """Something before or after the document, or in place of its spaces."""
    more = draw.choice([" ", "\n\n", "\ufeff", "// c\n", "/* c */", ",", "\0", "x", "{}", "\x0c", "\xa0"])
    return draw.choice([more + text, text + more, text.replace(" ", more, draw.choice([1, -1]))])


def deep(draw: Random, text: str) -> str:
    """Lists or objects inside each other, thousands deep, somewhere in the document or instead of it."""
    count = draw.choice([50, 500, 5_000, 200_000])
    opened, closed = draw.choice([("[", "]"), ('{"a":', "}"), ("[[],", "]")])
    nest = opened * count + draw.choice(["0", "[]", ""]) + closed * draw.choice([count, 0])
    return draw.choice([nest, text.replace('"nodes"', f'"more": {nest}, "nodes"', 1)])


def broad(draw: Random, text: str) -> str:
    """Megabytes of elements, keys, digits or spaces."""
    count = draw.choice([1_000, 100_000, 2_000_000])
    more = draw.choice(
        [
            "[" + "0," * count + "0]",
            '{"a":0' + ',"b":0' * count + "}",
            "9" * count,
            '"' + "x" * count + '"',
            "[" + "[]," * count + "0]",
        ]
    )
    return text.replace('"nodes"', f'"more": {more}, "nodes"', 1)


def encoding(draw: Random, content: bytes) -> bytes:
    """The same text in another encoding, or bytes that are no text."""
    text = content.decode()
    return draw.choice(
        [
            text.encode("utf-16"),
            text.encode("utf-8-sig"),
            text.encode("utf-32"),
            content + b"\xff",
            b"\xc0\x80" + content,
        ]
    )


def _on_text(edit: TextEdit, name: str) -> FileMutator:
    def mutate(draw: Random, files: Files) -> Files:
        return files | {name: edit(draw, files[name].decode()).encode("utf-8", "surrogatepass")}

    return mutate


def on_text(name: str) -> dict[str, FileMutator]:
    """The mutators of JSON text, made for one file."""
    edits = (token, number, escape, escaped_name, twice, around, deep, broad)
    return {edit.__name__: _on_text(edit, name) for edit in edits} | {
        "encoding": lambda draw, files: files | {name: encoding(draw, files[name])}
    }
