"""Mutants of the archive's members: names, order, kinds that a model has no use for, and bombs."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import tarball_parts as parts

from harness.artifact import MODEL_FILES, PARAMETERS, SYMBOL
from mutants.archive_bytes import Mutator, packed
from mutants.seed_models import FORMS, SCRIPT, Files, entries, joined

if TYPE_CHECKING:
    from random import Random

OUTSIDE = "byom-escaped"
"""What mutants that lead outside would write there."""

Rename = Callable[["Random", str], str]

RENAMES: dict[str, Rename] = {
    "another name": lambda draw, name: name.replace("0000", "0001").replace("model", draw.choice(["mdl", "m"])),
    "case": lambda draw, name: draw.choice([name.upper(), name.title(), name.swapcase()]),
    "nested": lambda draw, name: f"{draw.choice(['model', 'code', 'a/b/c', '.git'])}/{name}",
    "absolute": lambda draw, name: f"{draw.choice(['/', '//', '/usr/../'])}{name}",
    "outside": lambda _draw, _name: f"/{OUTSIDE}",
    "parent": lambda draw, name: f"../{draw.choice([name, OUTSIDE])}",
    "inner parent": lambda draw, name: f"code/{'../' * draw.randint(1, 9)}{draw.choice([name, OUTSIDE])}",
    "far parent": lambda draw, _name: f"{'../' * draw.randint(2, 30)}{OUTSIDE}",
    "dots": lambda draw, name: draw.choice([".", "..", "...", "./..", "a/..", f"{name}/.", f"{name}/.."]),
    "backslash": lambda draw, name: draw.choice([f"..\\{OUTSIDE}", f"C:\\{name}", name.replace("-", "\\")]),
    "control characters": lambda draw, name: name + draw.choice(["\n", "\x1b[2J", "\x7f", "\u202e", "\u200b"]),
    "not utf-8": lambda draw, name: name + draw.choice(["\udcff", "\udc80\udc80"]),
    "decomposed": lambda draw, name: name.replace("m", draw.choice(["\u006d\u0301", "\uff4d", "µ"])),
    "spaces": lambda draw, name: draw.choice([f"{name} ", f" {name}", f"{name}.", "\u00a0"]),
    "folder slash": lambda _draw, name: f"{name}/",
    "long": lambda draw, name: name * draw.choice([8, 20, 60, 400, 4000]),
    "deep": lambda draw, name: "d/" * draw.choice([5, 31, 32, 33, 500]) + name,
    "empty": lambda _draw, _name: "",
}


def renamed(rename: Rename) -> Mutator:
    """One member, or all, under another name."""

    def mutate(draw: Random, files: Files) -> bytes:
        members = entries(files)
        form = draw.choice(FORMS[1:])
        for info, _ in members if draw.random() < 0.2 else [draw.choice(members)]:
            info.name = rename(draw, info.name)
        return packed(joined(members, form))

    return mutate


def removed(draw: Random, files: Files) -> bytes:
    """One to all members left out."""
    members = entries(files)
    return packed(joined(draw.sample(members, draw.randrange(len(members)))))


def duplicated(draw: Random, files: Files) -> bytes:
    """A member twice, the same or with another's content, under the same path in perhaps another spelling."""
    members = entries(files)
    info, content = draw.choice(members)
    again = parts.entry(draw.choice([info.name, f"./{info.name}", f".//{info.name}"]))
    content = draw.choice([content, b"", draw.choice(members)[1]])
    again.size = len(content)
    members.insert(draw.randrange(len(members) + 1), (again, content))
    return packed(joined(members))


def swapped(draw: Random, files: Files) -> bytes:
    """Two files with each other's content."""
    one, other = draw.sample(list(files), 2)
    return packed(joined(entries(files | {one: files[other], other: files[one]})))


def emptied(draw: Random, files: Files) -> bytes:
    """A file of nothing, of zeros, or of junk."""
    content = draw.choice([b"", bytes(draw.randint(1, 4096)), draw.randbytes(draw.randint(1, 4096))])
    return packed(joined(entries(files | {draw.choice(list(files)): content})))


def folder_in_place(draw: Random, files: Files) -> bytes:
    """A folder with a file's name, or a file that other members lie in."""
    members = entries(files)
    place = draw.randrange(len(members))
    name = members[place][0].name
    if draw.random() < 0.5:
        members[place] = (parts.entry(name, type=tarfile.DIRTYPE), b"")
    else:
        members.insert(draw.randrange(len(members)), (parts.entry(f"{name}/{draw.choice(['x', '', name])}"), b""))
    return packed(joined(members))


def size_lies(draw: Random, files: Files) -> bytes:
    """A header that says another size than its content has."""
    members = entries(files)
    info, content = draw.choice(members)
    info.size = draw.choice([0, len(content) - 1, len(content) + 1, len(content) + 512, 1 << 20, 1 << 33, 1 << 62])
    return packed(joined(members))


def more_members(draw: Random, files: Files) -> bytes:
    """Files that a model has no use for, with names that others may trip over."""
    names = ["model-0001.params", "model", "code/../x", "MODEL-symbol.json", "code", ".", "a\nb", "README", "code/x.py"]
    more = [(parts.entry(draw.choice(names), size=3), b"abc") for _ in range(draw.randint(1, 3))]
    return packed(joined(draw.sample(entries(files) + more, len(files) + len(more))))


MEMBERS: dict[str, Mutator] = {
    mutator.__name__: mutator
    for mutator in (removed, duplicated, swapped, emptied, folder_in_place, size_lies, more_members)
}
NAMES: dict[str, Mutator] = {name: renamed(rename) for name, rename in RENAMES.items()}

LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE)
TARGETS = (f"/{OUTSIDE}", f"../{OUTSIDE}", "/etc/passwd", "..", "/", ".", *MODEL_FILES, "absent", "", "a" * 5000)


def link_in_place(draw: Random, files: Files) -> bytes:
    """A link where a file should be."""
    members = entries(files)
    place = draw.randrange(len(members))
    link = parts.entry(members[place][0].name, type=draw.choice(LINKS), linkname=draw.choice(TARGETS))
    members[place] = (link, b"")
    return packed(joined(members, draw.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])))


def link_then_through(draw: Random, files: Files) -> bytes:
    """A link to a folder outside, and files below it or with its name."""
    link = parts.entry("out", type=draw.choice(LINKS), linkname=draw.choice(["..", "/", "../..", "/var", "."]))
    below = parts.entry(draw.choice([f"out/{OUTSIDE}", "out", "./out/x", f"out/../{OUTSIDE}"]), size=3)
    return packed(joined([(link, b""), (below, b"abc"), *entries(files)]))


def link_circle(draw: Random, files: Files) -> bytes:
    """Links to each other, or to themselves."""
    kind = draw.choice(LINKS)
    names = draw.sample([*MODEL_FILES, "a", "b"], 2)
    links = [
        (parts.entry(names[place], type=kind, linkname=names[place - draw.randrange(2)]), b"") for place in range(2)
    ]
    return packed(joined([member for member in entries(files) if member[0].name not in names] + links))


def device(draw: Random, files: Files) -> bytes:
    """A device, a fifo, a socket, or a type that nobody knows."""
    kind = draw.choice([tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"8", b"A", b"V", b"M", b"\xff"])
    fields = {"type": kind, "devmajor": draw.choice([1, 8]), "devminor": draw.choice([0, 3, 5, 9])}
    members = entries(files)
    name = draw.choice([draw.choice(MODEL_FILES), "code/zero", OUTSIDE])
    members = [member for member in members if member[0].name != name]
    members.insert(draw.randrange(len(members) + 1), (parts.entry(name, **fields), b""))
    return packed(joined(members))


def sparse(draw: Random, files: Files) -> bytes:
    """A sparse file, by GNU's type or by pax records."""
    members = entries(files)
    info, _ = draw.choice(members)
    if draw.random() < 0.5:
        info.type = tarfile.GNUTYPE_SPARSE
        return packed(joined(members))
    info.pax_headers = draw.choice(
        [
            {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)},
            {"GNU.sparse.map": "0,1,5,1", "GNU.sparse.size": "10"},
            {"GNU.sparse.name": f"../{OUTSIDE}", "GNU.sparse.realsize": "1"},
        ]
    )
    return packed(joined(members, tarfile.PAX_FORMAT))


SPECIAL: dict[str, Mutator] = {
    mutator.__name__: mutator for mutator in (link_in_place, link_then_through, link_circle, device, sparse)
}


def zeros(draw: Random, files: Files) -> bytes:
    """A file of nothing but zeros, which packs a thousand to one."""
    name = draw.choice(["code/blank.bin", PARAMETERS, SYMBOL, SCRIPT])
    content = bytes(draw.choice([1, 15, 17, 40, 70, 130]) << 20)
    return packed(joined(entries(files | {name: content})))


def promised(draw: Random, files: Files) -> bytes:
    """A header that promises terabytes, in octal or in pax, with nothing behind it."""
    info = parts.entry("code/blank.bin", size=draw.choice([(4 << 30) - 1, 1 << 32, 1 << 40, 1 << 63]))
    return packed(joined([*entries(files), (info, b"")], draw.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])))


def many_members(draw: Random, files: Files) -> bytes:
    """Thousands of empty files, with one name or with as many."""
    count = draw.choice([100, 1_000, 3_000, 60_000])
    block = parts.entry("code/x").tobuf(tarfile.USTAR_FORMAT)
    one_name = draw.random() < 0.5
    more = [
        block if one_name else parts.entry(f"code/{number}").tobuf() for number in range(count if one_name else 3000)
    ]
    return packed(b"".join(more) + joined(entries(files)))


def many_headers(draw: Random, files: Files) -> bytes:
    """Extended headers before a member, far more or far larger than anybody needs."""
    kind = draw.choice([tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
    size = draw.choice([0, 10, 60_000, 70_000, 1 << 24])
    record = b"%d comment=%s\n"
    content = record % (size, b"c" * (size - len(record % (size, b"")))) if size > 20 else b"a" * size
    header = parts.entry("././@PaxHeader", type=kind, size=size).tobuf(tarfile.USTAR_FORMAT)
    once = header + content + bytes(-size % tarfile.BLOCKSIZE)
    return packed(once * draw.choice([1, 2, 60_000 if size < 20 else 3]) + joined(entries(files)))


def pax_records(draw: Random, files: Files) -> bytes:
    """Pax records that change what the header says, or that break their form."""
    content = draw.choice(
        [
            b"%d path=../byom-escaped\n" % len("22 path=../byom-escaped"),
            b"24 path=../byom-escaped\n",
            b"12 size=-1\n",
            b"11 size=-1\n",
            b"29 size=99999999999999999999\n",
            b"10 size=0\n",
            b"9 size=1\n",
            b"10 path=\n",
            b"8 path=\n",
            b"0 a=b\n",
            b"99999 a=b\n",
            b"6 a=b\n6 a=c\n",
            b"21 hdrcharset=BINARY\n",
            b"19 linkpath=../../\n",
            b"30 path=model-symbol.json\0.txt\n",
            draw.randbytes(draw.randint(1, 600)),
        ]
    )
    header = parts.entry("pax", type=draw.choice([tarfile.XHDTYPE, tarfile.XGLTYPE]), size=len(content))
    members = entries(files)
    members.insert(draw.randrange(len(members) + 1), (header, content))
    return packed(joined(members))


BOMBS: dict[str, Mutator] = {
    mutator.__name__: mutator for mutator in (zeros, promised, many_members, many_headers, pax_records)
}
