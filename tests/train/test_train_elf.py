"""What a shared object needs is read from its file alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_elf import tiny_elf, write_tiny_elf

from harness.train.elf import needed

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
TINY = tiny_elf(["libcudnn.so.8", "libc.so.6"])


@given(names=st.lists(NAMES, max_size=6))
@settings(max_examples=25, deadline=None)
def test_the_names_come_in_the_loaders_order(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """Every name is read, as it is written and in its place, however many there are."""
    assert needed(write_tiny_elf(tmp_path_factory.getbasetemp() / "named.so", *names)) == tuple(names)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler, cc, to build a shared object")
def test_a_linkers_library_is_read(tmp_path: Path) -> None:
    """What a real linker writes is understood: a library linked against another one names it."""
    (tmp_path / "empty.c").write_text("")
    for name, linked in (("libfirst.so.1", []), ("libsecond.so", ["-Wl,--no-as-needed", "-L.", "-l:libfirst.so.1"])):
        command = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", name, "empty.c", *linked]
        subprocess.run(command, cwd=tmp_path, check=True)
    assert "libfirst.so.1" in needed(tmp_path / "libsecond.so")
    assert "libfirst.so.1" not in needed(tmp_path / "libfirst.so.1")


@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs binutils' readelf to compare with")
def test_binutils_agrees() -> None:
    """For every compiled module of numpy, the answer is that of readelf."""
    import numpy as np

    modules = sorted(Path(np.__file__).parent.rglob("*.so"))
    assert modules
    for module in modules:
        shown = subprocess.run(["readelf", "-W", "-d", module], capture_output=True, text=True, check=True).stdout  # noqa: S607 - found on the PATH above
        assert needed(module) == tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", shown)), module


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GROUP ( /lib/libm.so.6 )",
        TINY[:64],
        TINY[:-8],
        TINY[:4] + b"\x01" + TINY[5:],
        TINY[:5] + b"\x02" + TINY[6:],
        TINY[:39] + b"\xff" + TINY[40:],
    ],
    ids=["empty", "linker script", "no headers", "cut", "32 bits", "big-endian", "headers beyond any file"],
)
def test_what_is_no_such_library_needs_nothing(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be read as one is left to the loader, which says what is wrong with it."""
    path = tmp_path / "odd.so"
    path.write_bytes(content)
    assert needed(path) == ()


@given(where=st.integers(6, len(TINY) - 1), value=st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_is_no_crash(tmp_path_factory: pytest.TempPathFactory, where: int, value: int) -> None:
    """Whatever byte is wrong, the answer is names or nothing, never an exception."""
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(TINY[:where] + bytes([value]) + TINY[where + 1 :])
    assert all(isinstance(name, str) for name in needed(path))


def test_a_compiled_module_needs_the_c_library() -> None:
    """The control: not everything counts as no such library, also where neither cc nor readelf is."""
    import numpy as np

    module = next(Path(np.__file__).parent.rglob("_multiarray_umath*.so"))
    assert "libc.so.6" in needed(module)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """The control: only what a file holds is forgiven, not that it is not there."""
    with pytest.raises(FileNotFoundError):
        needed(tmp_path / "libgone.so")
