"""The reader: which archives it opens, where it stops, and what it says then."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
import tarball_parts as parts

from harness.tarball.gunzip import CHUNK, Gunzip
from harness.tarball.member import DamageError, Kind
from harness.tarball.reader import EXTENDED_LIMIT, members
from harness.tarball.unpacked import Limits

if TYPE_CHECKING:
    from pathlib import Path

END = bytes(1024)


def listing(path: Path, limits: Limits | None = None) -> dict[str, bytes]:
    """Every member's path and content."""
    found = members(path, limits=limits) if limits else members(path)
    return {member.path: member.body.read(1 << 20) for member in found}


def packed(path: Path, content: bytes) -> Path:
    """The content, compressed."""
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


def damage(path: Path, limits: Limits | None = None) -> str:
    """What the reader says of a file that it cannot read through."""
    with pytest.raises(DamageError) as caught:
        listing(path, limits)
    return str(caught.value)


def block(content: bytes, *, size: int | None = None, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A header of any kind and its content."""
    info = parts.entry("x", type=kind, size=len(content) if size is None else size)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def record(key: str, value: str) -> bytes:
    """A pax record of less than 100 bytes."""
    length = len(key) + len(value) + 5
    return f"{length} {key}={value}\n".encode()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_the_three_formats(tmp_path: Path, form: int) -> None:
    """Names and content arrive in each of the formats that tar programs write."""
    files = {"a": b"1" * 512, "code/b.py": b"2" * 513, "empty": b""}
    assert listing(parts.write(tmp_path / "m.tar.gz", files, form=form)) == files


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_long_names(tmp_path: Path, form: int) -> None:
    """Names that do not fit a header come from the extended header before it, and for that member only."""
    files = {"code/" + "d" * 120 + "/é.py": b"1", "b": b"2"}
    assert listing(parts.write(tmp_path / "m.tar.gz", files, form=form)) == files


@pytest.mark.parametrize("option", ["--format=gnu", "--format=pax", "--format=ustar", "--format=v7"])
def test_reads_what_tar_writes(model_dir: Path, tmp_path: Path, option: str) -> None:
    """The tar program's own archives, packed as people pack them, read the same."""
    path = tmp_path / "m.tar.gz"
    subprocess.run(["tar", option, "-czf", path, "-C", model_dir, "."], check=True)  # noqa: S607
    found = listing(path)
    assert found.pop("") == b""
    assert found == parts.model()


def test_tells_kinds_apart(tmp_path: Path) -> None:
    """Folders, links and devices have no content, and are known for what they are."""
    kinds = {
        tarfile.REGTYPE: Kind.FILE,
        tarfile.AREGTYPE: Kind.FILE,
        tarfile.CONTTYPE: Kind.FILE,
        tarfile.DIRTYPE: Kind.FOLDER,
        tarfile.SYMTYPE: Kind.LINK,
        tarfile.LNKTYPE: Kind.LINK,
        tarfile.FIFOTYPE: Kind.SPECIAL,
        tarfile.CHRTYPE: Kind.SPECIAL,
        tarfile.BLKTYPE: Kind.SPECIAL,
        tarfile.GNUTYPE_SPARSE: Kind.SPECIAL,
        b"V": Kind.SPECIAL,
    }
    headers = [parts.entry(f"m{number}", type=kind) for number, kind in enumerate(kinds)]
    path = parts.write(tmp_path / "m.tar.gz", {"last": b"1"}, before=headers, form=tarfile.GNU_FORMAT)
    found = [member.kind for member in members(path)]
    assert found == [*kinds.values(), Kind.FILE]


def test_a_pax_sparse_file_is_special(tmp_path: Path) -> None:
    """A sparse file's stored bytes are not its content, so it does not pass for a file."""
    header = block(record("GNU.sparse.major", "1"))
    path = packed(tmp_path / "m.tar.gz", header + block(b"data", kind=tarfile.REGTYPE) + END)
    assert [member.kind for member in members(path)] == [Kind.SPECIAL]


def test_takes_a_size_from_the_extended_header(tmp_path: Path) -> None:
    """Files beyond 8 GiB have their size there; it wins over the header's."""
    path = packed(tmp_path / "m.tar.gz", block(record("size", "4")) + block(b"data", size=0, kind=b"0") + END)
    assert listing(path) == {"x": b"data"}


def test_content_left_unread_is_passed_over(tmp_path: Path) -> None:
    """Whoever asks for the next member without reading one gets the right one."""
    path = parts.write(tmp_path / "m.tar.gz", {"a": b"1" * 700, "b": b"2"})
    assert [member.path for member in members(path)] == ["a", "b"]


def test_reads_gzip_files_of_several_streams(tmp_path: Path) -> None:
    """A tar compressed in pieces is one tar, as gzip's own rules have it."""
    content = parts.tar_bytes({"a": b"1"})
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(content[:700]) + gzip.compress(content[700:]))
    assert listing(path) == {"a": b"1"}


def test_zeros_after_the_end_are_padding(tarball: Path) -> None:
    """Tapes and disks pad with zeros; readers pass over them."""
    tarball.write_bytes(tarball.read_bytes() + bytes(1000))
    assert len(listing(tarball)) == 4


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    """Nothing, a folder, a fifo and a name that no disk can hold are unreadable, and nothing blocks."""
    os.mkfifo(tmp_path / "fifo")
    assert damage(tmp_path) == "[unreadable] expected a file, found a folder; name the model.tar.gz in it"
    for name in ("absent", "n\0ul"):
        assert damage(tmp_path / name) == "[unreadable] expected a file, found nothing there; check the path"
    assert "found something that is no regular file, such as a pipe; check" in damage(tmp_path / "fifo")
    assert "[unreadable] expected to open the file, found: File name too long" in damage(tmp_path / ("x" * 300))


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\x1f", b"plain text", b"\0" * 20])
def test_refuses_what_is_not_gzip(tmp_path: Path, content: bytes) -> None:
    """Another kind of file is named as such, with the bytes it starts with."""
    path = tmp_path / "m.tar.gz"
    path.write_bytes(content)
    assert f"[not-gzip] expected a gzip file, found one that begins with {content[:4]!r}; pack it" in damage(path)


@pytest.mark.parametrize(
    ("start", "content", "found"),
    [
        (2, b"\x09", "unknown compression method"),
        (3, b"\xe0", "unknown header flags set"),
        (3, b"\x02", "header crc mismatch"),
    ],
)
def test_a_header_that_gzip_would_not_take_is_damage(tarball: Path, start: int, content: bytes, found: str) -> None:
    """Python's own reader passes over reserved flags and the header's checksum; the gzip program stops at them."""
    packed = bytearray(tarball.read_bytes())
    packed[start : start + len(content)] = content
    tarball.write_bytes(packed)
    assert f"[damaged] expected an intact gzip stream, found: {found}" in damage(tarball)


@pytest.mark.parametrize("flag", [0x04, 0x08, 0x10])
def test_what_a_header_may_hold_besides_is_passed_by(tmp_path: Path, flag: int) -> None:
    """Extra fields, a name, a comment: gzip and others write them."""
    packed = gzip.compress(parts.tar_bytes({"a": b"1"}), mtime=0)
    extra = b"\3\0abc" if flag == 0x04 else b"abc\0"
    path = tmp_path / "m.tar.gz"
    path.write_bytes(packed[:3] + bytes([flag]) + packed[4:10] + extra + packed[10:])
    assert listing(path) == {"a": b"1"}


def test_zeros_after_the_end_are_not_kept(tmp_path: Path) -> None:
    """However many there are, they are passed by piece for piece, and what follows them is still seen."""
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(parts.tar_bytes({"a": b"1"})) + bytes(3 * CHUNK + 1))
    assert listing(path) == {"a": b"1"}
    with path.open("ab") as file:
        file.write(b"more")
    assert "[trailing-data] expected nothing after the gzip stream, found more bytes" in damage(path)


def test_an_empty_file_is_truncated(tmp_path: Path) -> None:
    """An upload that never started is an archive without its first header."""
    path = tmp_path / "m.tar.gz"
    path.touch()
    assert "[truncated] expected a tar header of 512 bytes, found 0 bytes and the end; pack" in damage(path)


@pytest.mark.parametrize("cut", [12, 60, -4, -12])
def test_a_file_that_breaks_off_is_truncated(tarball: Path, cut: int) -> None:
    """Where the compressed bytes end early, the reader says so, wherever that is."""
    tarball.write_bytes(tarball.read_bytes()[:cut])
    expected = "[truncated] expected the gzip stream to end with its checksum, found the end of the file; pack"
    assert expected in damage(tarball)


@pytest.mark.parametrize(
    ("length", "found"),
    [
        (300, "expected a tar header of 512 bytes, found 300 bytes"),
        (600, "expected 700 more bytes of a member, found 88"),
        (1536, "expected a tar header of 512 bytes, found 0 bytes"),
        (2048, "expected two zero blocks at the end of the tar, found one"),
    ],
)
def test_a_tar_that_breaks_off_is_truncated(tmp_path: Path, length: int, found: str) -> None:
    """A whole gzip around a tar that was cut is still cut."""
    content = parts.tar_bytes({"a": b"1" * 700}, form=tarfile.USTAR_FORMAT)
    assert f"[truncated] {found}" in damage(packed(tmp_path / "m.tar.gz", content[:length]))


def test_a_wrong_checksum_is_damage(tarball: Path) -> None:
    """The checksum at the end of the gzip stream is looked at."""
    content = bytearray(tarball.read_bytes())
    content[-8] ^= 1
    tarball.write_bytes(content)
    assert "[damaged] expected an intact gzip stream, found: incorrect data check" in damage(tarball)


def test_a_disk_that_fails_is_not_the_files_fault(tarball: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the system while reading is told from a damaged file."""

    def failing(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Gunzip, "readinto", failing)
    assert (
        damage(tarball) == "[unreadable] expected to read the file, found: [Errno 5] Input/output error; check the disk"
    )


def test_a_broken_header_is_not_the_end(tmp_path: Path) -> None:
    """A damaged header in the middle is damage: `tarfile` would stop there and call the rest absent."""
    content = bytearray(parts.tar_bytes({"a": b"1", "b": b"2"}, form=tarfile.USTAR_FORMAT))
    content[1024] ^= 1
    assert "[damaged] expected a tar header, found: bad checksum" in damage(packed(tmp_path / "m.tar.gz", content))


def test_a_negative_size_is_damage(tmp_path: Path) -> None:
    """A size below zero would send a trusting reader backwards, for ever (CVE-2025-8194)."""
    content = block(b"", size=-1024, kind=tarfile.REGTYPE) + END
    assert "expected a size of 0 or more in a tar header, found -1024" in damage(packed(tmp_path / "m", content))


@pytest.mark.parametrize("tail", [b"more", gzip.compress(b"more"), gzip.compress(parts.tar_bytes({"model": b"2"}))])
def test_refuses_data_after_the_end(tarball: Path, tail: bytes) -> None:
    """Bytes after the gzip stream, and a second archive that only some readers would see, are refused."""
    tarball.write_bytes(tarball.read_bytes() + tail)
    assert "[trailing-data] expected" in damage(tarball)


def test_data_after_the_end_of_the_tar_is_refused(tmp_path: Path) -> None:
    """The same inside the gzip stream."""
    path = packed(tmp_path / "m.tar.gz", parts.tar_bytes({"a": b"1"}) + b"hidden")
    assert "[trailing-data] expected zeros after the end of the tar, found more data" in damage(path)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (block(b"", size=EXTENDED_LIMIT + 1), "an extended header of at most 65,536 bytes, found 65,537"),
        (block(b"nonsense"), "records of a length, a key and a value in a pax header, found b'nonsense'"),
        (block(b"99 path=a\n"), "records of a length, a key and a value in a pax header"),
        (block(b"0 path=a\n"), "records of a length, a key and a value in a pax header"),
        (block(b"9" * 5000 + b" a=b\n"), "records of a length, a key and a value in a pax header"),
        (block(record("path", "b"), kind=tarfile.XGLTYPE), "a global header without names and sizes"),
        (block(record("size", "-4")) + block(b"", kind=b"0"), "a size of 0 or more in an extended header, found '-4'"),
        (block(record("size", "9" * 40)) + block(b"", kind=b"0"), "a size of 0 or more in an extended header"),
    ],
)
def test_refuses_broken_extended_headers(tmp_path: Path, headers: bytes, found: str) -> None:
    """Extended headers are read within bounds, and only as their format has them."""
    assert f"[damaged] expected {found}" in damage(packed(tmp_path / "m.tar.gz", headers + END))


def test_refuses_names_beyond_any_path(tmp_path: Path) -> None:
    """A name longer than Linux can open is not kept."""
    path = parts.write(tmp_path / "m.tar.gz", {"a/" * 2100: b""})
    assert "[damaged] expected names of at most 1,024 letters, found one of 4,200" in damage(path)


def test_global_headers_with_comments_pass(tmp_path: Path) -> None:
    """`git archive` starts its tarballs with a comment for all members."""
    content = block(record("comment", "c0ffee"), kind=tarfile.XGLTYPE) + block(b"data", kind=b"0") + END
    assert listing(packed(tmp_path / "m.tar.gz", content)) == {"x": b"data"}


def test_stops_before_a_member_that_is_too_large(tmp_path: Path) -> None:
    """The size in a header is enough to stop: none of the content has to be there."""
    path = packed(tmp_path / "m.tar.gz", block(b"", size=1 << 50, kind=tarfile.REGTYPE) + END)
    found = damage(path)
    assert "[too-large] expected at most 4,294,967,296 bytes unpacked, found at least 1,125,899,906,843,136" in found


def test_stops_at_a_suspicious_ratio(tmp_path: Path) -> None:
    """A small file that claims to hold much is a bomb, below the absolute limit too."""
    path = packed(tmp_path / "m.tar.gz", block(bytes(100_000), kind=tarfile.REGTYPE) + END)
    limits = Limits(ratio=100, ratio_floor=50_000)
    assert "[suspicious-ratio] expected at most 100 bytes unpacked for each one packed" in damage(path, limits)
    assert listing(path, Limits(ratio=1000, ratio_floor=50_000))
    assert listing(path, Limits(ratio=100, ratio_floor=200_000))


def test_padding_counts_too(tmp_path: Path) -> None:
    """Zeros after the end are unpacked as well, so they are limited as well."""
    path = packed(tmp_path / "m.tar.gz", END + bytes(3 << 20))
    assert "[too-large]" in damage(path, Limits(unpacked=2 << 20))


def test_stops_at_too_many_members(tmp_path: Path) -> None:
    """Members are counted, extended headers with them, as each costs time."""
    path = parts.write(tmp_path / "m.tar.gz", {str(number): b"" for number in range(5)})
    assert "[too-many-members] expected at most 4 headers, found more; pack" in damage(path, Limits(headers=4))
    assert len(listing(path, Limits(headers=5))) == 5
    path = packed(tmp_path / "x.tar.gz", block(record("comment", "b")) * 20 + END)
    assert "[too-many-members]" in damage(path, Limits(headers=10))


def test_undecodable_names_do_not_break_messages(tmp_path: Path) -> None:
    """A name of any bytes can be printed."""
    info = parts.entry("a").tobuf(tarfile.USTAR_FORMAT)
    raw = b"\xff\x1b[2J" + info[5:148] + b" " * 8 + info[156:]
    raw = raw[:148] + struct.pack("7sB", b"%06o\0" % sum(raw), 32) + raw[156:]
    (member,) = members(packed(tmp_path / "m.tar.gz", raw + END))
    assert member.label == r"\udcff\x1b[2J"
    assert member.escape() == "a name with control characters or bytes that are not UTF-8"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"uid": -1}, "expected a user from 0 to 4,294,967,295 in a tar header, found -1"),
        ({"gid": 2**32}, "expected a group from 0 to 4,294,967,295 in a tar header, found 4294967296"),
        ({"mtime": 2**40}, "expected a time from -17,179,869,184 to 17,179,869,184 in a tar header, found 10995116277"),
        ({"mtime": -(2**40)}, "expected a time from -17,179,869,184 to 17,179,869,184 in a tar header, found -109951"),
    ],
)
def test_refuses_numbers_that_other_programs_give_up_on(tmp_path: Path, fields: dict[str, int], found: str) -> None:
    """Programs stop at owners and times that the system has no room for, with the model half unpacked."""
    path = parts.write(tmp_path / "m.tar.gz", {}, before=[parts.entry("a", **fields)], form=tarfile.GNU_FORMAT)
    assert found in damage(path)


@pytest.mark.parametrize("value", ["--1", "1e9", "inf", "-99999999999", "9" * 30, "", "\u0663"])
def test_refuses_such_numbers_in_extended_headers_too(tmp_path: Path, value: str) -> None:
    """They win over the header's, so they are held to the same bounds."""
    content = f"mtime={value}\n".encode()
    extended = block(f"{len(content) + 3} ".encode() + content)
    assert "as mtime, found " in damage(packed(tmp_path / "m.tar.gz", extended + parts.tar_bytes({"a": b""})))


def test_refuses_an_extended_header_of_nothing(tmp_path: Path) -> None:
    """It speaks of the next member: without one, a reader cannot know whether the archive is whole."""
    extended = block(record("comment", "x"))
    whole = parts.tar_bytes({"a": b""})
    at = 512
    assert "expected a member after an extended header" in damage(
        packed(tmp_path / "m.tar.gz", whole[:at] + extended + whole[at:])
    )


@pytest.mark.parametrize(
    ("start", "text"), [(124, b"1_0"), (124, b"+5"), (124, b"-1"), (116, b"1_0"), (100, b"9"), (136, b"1 2")]
)
def test_refuses_numbers_that_programs_read_differently(tmp_path: Path, start: int, text: bytes) -> None:
    """Python takes ``1_0`` for 8, tar for nothing: what one reads as content would be the other's next header."""
    block = bytearray(parts.tar_bytes({"a": b"content "}, form=tarfile.USTAR_FORMAT))
    block[start : start + len(text) + 1] = text + b"\0"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block[:512]):06o}\0 ".encode()
    assert "expected a number in octal digits in a tar header, found b'" in damage(
        packed(tmp_path / "m.tar.gz", bytes(block))
    )
