"""Mutants that know nothing of meaning, or no more than where a tar's headers stand: flips, cuts, repeats, fields."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from mutants.seed_models import Files, tarred

if TYPE_CHECKING:
    from random import Random

Edit = Callable[["Random", bytes], bytes]
Mutator = Callable[["Random", Files], bytes]
"""From a random source and a valid model's files to the bytes of a file that may be anything."""

FileMutator = Callable[["Random", Files], Files]
"""The same, of mutants that are a proper tar.gz of other files."""

LEVEL = 1
BLOCK = tarfile.BLOCKSIZE


def packed(tar: bytes) -> bytes:
    """A gzip file of it, whose bytes depend on nothing else."""
    return gzip.compress(tar, compresslevel=LEVEL, mtime=0)


def _slice(draw: Random, content: bytes, most: int = 64) -> tuple[int, int]:
    start = draw.randrange(len(content) + 1)
    return start, min(len(content), start + draw.randint(1, most))


def flip(draw: Random, content: bytes) -> bytes:
    """One to four bits flipped."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 4) if content else 0):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def overwrite(draw: Random, content: bytes) -> bytes:
    """A range of random bytes."""
    start, end = _slice(draw, content)
    return content[:start] + draw.randbytes(end - start) + content[end:]


def blank(draw: Random, content: bytes) -> bytes:
    """A range of zeros, or of ones."""
    start, end = _slice(draw, content)
    return content[:start] + draw.choice([b"\0", b"\xff"]) * (end - start) + content[end:]


def insert(draw: Random, content: bytes) -> bytes:
    """Some bytes more."""
    start, _ = _slice(draw, content)
    return content[:start] + draw.randbytes(draw.randint(1, 32)) + content[start:]


def delete(draw: Random, content: bytes) -> bytes:
    """Some bytes fewer."""
    start, end = _slice(draw, content)
    return content[:start] + content[end:]


def repeat(draw: Random, content: bytes) -> bytes:
    """A range twice."""
    start, end = _slice(draw, content, most=1024)
    return content[:end] + content[start:]


def transpose(draw: Random, content: bytes) -> bytes:
    """Two neighbouring ranges in the other order."""
    start, middle = _slice(draw, content)
    end = min(len(content), middle + draw.randint(1, 64))
    return content[:start] + content[middle:end] + content[start:middle] + content[end:]


def cut(draw: Random, content: bytes) -> bytes:
    """The beginning."""
    return content[: draw.randrange(len(content) + 1)]


def behead(draw: Random, content: bytes) -> bytes:
    """The end."""
    return content[draw.randrange(len(content) + 1) :]


def append(draw: Random, content: bytes) -> bytes:
    """Something after the end."""
    return content + draw.choice([draw.randbytes(draw.randint(1, 600)), bytes(draw.randint(1, 2048)), content])


EDITS: dict[str, Edit] = {
    edit.__name__: edit for edit in (flip, overwrite, blank, insert, delete, repeat, transpose, cut, behead, append)
}


def on_gzip(edit: Edit) -> Mutator:
    """The edit made to the compressed bytes."""
    return lambda draw, files: edit(draw, packed(tarred(files)))


def on_tar(edit: Edit) -> Mutator:
    """The edit made to the tar, which is compressed afterwards."""
    return lambda draw, files: packed(edit(draw, tarred(files)))


def on_file(name: str, edit: Edit) -> FileMutator:
    """The edit made to one file of the model."""
    return lambda draw, files: files | {name: edit(draw, files[name])}


def gzip_head(draw: Random, content: bytes) -> bytes:
    """A byte of gzip's ten at the start set at random: magic number, method, flags, time."""
    place = draw.randrange(10)
    return content[:place] + draw.randbytes(1) + content[place + 1 :]


def gzip_tail(draw: Random, content: bytes) -> bytes:
    """The checksum or the length at the end changed."""
    return content[:-8] + flip(draw, content[-8:])


def second_stream(draw: Random, content: bytes) -> bytes:
    """Another gzip stream after the first: of nothing, of zeros, of the first, or of junk."""
    more = draw.choice([b"", bytes(BLOCK), b"junk", gzip.decompress(content)])
    return content + packed(more)


def split_streams(draw: Random, content: bytes) -> bytes:
    """The same tar in several gzip streams, as parallel compressors write it; perhaps one too few."""
    tar = gzip.decompress(content)
    middle = draw.randrange(len(tar))
    streams = [packed(tar[:middle]), packed(tar[middle:])]
    return b"".join(streams[: draw.randint(1, 2)])


def many_streams(draw: Random, content: bytes) -> bytes:
    """Thousands of empty gzip streams before or after it."""
    empty = packed(b"") * draw.choice([1, 100, 20_000])
    return draw.choice([empty + content, content + empty])


def other_packing(draw: Random, content: bytes) -> bytes:
    """No compression, another one, or twice the same."""
    tar = gzip.decompress(content)
    ways: list[Callable[[bytes], bytes]] = [bytes, bz2.compress, lzma.compress, lambda data: packed(packed(data))]
    return draw.choice(ways)(tar)


def nothing(draw: Random, content: bytes) -> bytes:
    """An empty file, or a gzip file of nothing, of zeros, of text."""
    del content
    return draw.choice([b"", packed(b""), packed(bytes(1024)), packed(b"model"), packed(bytes(BLOCK))])


LAYERS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (gzip_head, gzip_tail, second_stream, split_streams, many_streams, other_packing, nothing)
}


FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "checksum": (148, 8),
    "type": (156, 1),
    "linkname": (157, 100),
    "magic": (257, 8),
    "uname": (265, 32),
    "device": (329, 16),
    "prefix": (345, 155),
}
"""Where a ustar header keeps what: first byte and length."""


def _headers(tar: bytes) -> list[int]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return [member.offset for member in archive]


def _mended(block: bytes) -> bytes:
    """The header with the checksum that it should have."""
    blanked = block[:148] + b" " * 8 + block[156:]
    return block[:148] + f"{sum(blanked):06o}\0 ".encode() + block[156:]


def _field_value(draw: Random, old: bytes) -> bytes:
    """Numbers in octal and in base 256, text, junk; of the same length as the old one."""
    number = int(old.strip(b"\0 ") or b"0", 8) if old.strip(b"\0 ").isdigit() and b"9" not in old else 0
    near = max(0, number + draw.choice([-513, -512, -1, 1, 511, 512, 513]))
    text = draw.choice(
        ["../byom-escaped", "/byom-escaped", "9", "-1", "+5", "1_0", " 12", "\0", "é", "model-symbol.json"]
    )
    values = [
        draw.randbytes(len(old)),
        f"{near:0{max(1, len(old) - 1)}o}".encode(),
        b"\x80" + draw.getrandbits(8 * (len(old) - 1) or 1).to_bytes(len(old), "big")[1:],
        b"\xff" * len(old),
        b"7" * len(old),
        b"\0" * len(old),
        text.encode(),
    ]
    return draw.choice(values)[: len(old)].ljust(len(old), b"\0")


def on_field(field: str) -> Mutator:
    """One field of one header set to something else, and the header's checksum mended."""
    start, length = FIELDS[field]

    def mutate(draw: Random, files: Files) -> bytes:
        tar = tarred(files)
        at = draw.choice(_headers(tar))
        block = tar[at : at + BLOCK]
        block = block[:start] + _field_value(draw, block[start : start + length]) + block[start + length :]
        return packed(tar[:at] + (block if field == "checksum" else _mended(block)) + tar[at + BLOCK :])

    return mutate


def flipped_header(draw: Random, files: Files) -> bytes:
    """Bits of a header flipped, and its checksum mended."""
    tar = tarred(files)
    at = draw.choice(_headers(tar))
    return packed(tar[:at] + _mended(flip(draw, tar[at : at + BLOCK])) + tar[at + BLOCK :])


def moved_blocks(draw: Random, files: Files) -> bytes:
    """Blocks of 512 bytes dropped, doubled, blanked or in another order."""
    tar = tarred(files)
    blocks = [tar[at : at + BLOCK] for at in range(0, len(tar), BLOCK)]
    one, other = draw.randrange(len(blocks)), draw.randrange(len(blocks))
    match draw.randrange(4):
        case 0:
            del blocks[one]
        case 1:
            blocks.insert(other, blocks[one])
        case 2:
            blocks[one] = bytes(BLOCK)
        case _:
            blocks[one], blocks[other] = blocks[other], blocks[one]
    return packed(b"".join(blocks))


def without_end(draw: Random, files: Files) -> bytes:
    """The two blocks of zeros at the end cut away, in part or with the padding."""
    tar = tarred(files).rstrip(b"\0")
    return packed(tar + bytes(draw.randint(0, 3 * BLOCK)))


HEADERS: dict[str, Mutator] = {
    **{f"field {field}": on_field(field) for field in FIELDS},
    "flipped_header": flipped_header,
    "moved_blocks": moved_blocks,
    "without_end": without_end,
}
