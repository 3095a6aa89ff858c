"""Which script `byom serve` serves with."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ServingError
from harness.simulator.serve import _install_script


def code_with(folder: Path, *names: str) -> Path:
    """A tarball's code/ with these scripts."""
    code = folder / "code"
    code.mkdir()
    for name in names:
        (code / name).write_text(f"# {name}\n")
    return code


@pytest.mark.parametrize(
    ("names", "chosen"),
    [((), "inference.py"), (("entry.py",), "entry.py"), (("helper.py", "inference.py"), "inference.py")],
)
def test_the_script_is_chosen_as_the_container_would(tmp_path: Path, names: tuple[str, ...], chosen: str) -> None:
    """The toolkit's default name wins, then the only script; without any an empty default will do."""
    code = code_with(tmp_path, *names)
    assert _install_script(code, None) == chosen
    assert (code / chosen).exists()


def test_a_script_can_be_named_or_brought_along(tmp_path: Path) -> None:
    """A bare name chooses among the tarball's scripts; a file is copied in."""
    code = code_with(tmp_path, "one.py", "two.py")
    assert _install_script(code, Path("two.py")) == "two.py"
    mine = tmp_path / "mine.py"
    mine.write_text("x = 1\n")
    assert _install_script(code, mine) == "mine.py"
    assert (code / "mine.py").read_text() == "x = 1\n"


def test_a_path_that_leads_nowhere_is_no_name(tmp_path: Path) -> None:
    """wrong/dir/one.py is refused even though the tarball has a one.py."""
    with pytest.raises(
        ServingError, match=r"expected a file, or one of the tarball's scripts \(one.py\), found neither"
    ):
        _install_script(code_with(tmp_path, "one.py"), Path("wrong/dir/one.py"))
