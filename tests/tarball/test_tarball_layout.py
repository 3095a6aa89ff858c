"""Rules about names and places: each fault gives its own code and no other, and harmless habits pass."""

from __future__ import annotations

import io

import pytest
import tarball_parts as parts

from harness.artifact import MODEL_FILES, PARAMETERS, SHAPES, SYMBOL
from harness.tarball.examination import examine
from harness.tarball.member import Kind, Member


def model(**renamed: str) -> list[Member]:
    """The members of a valid model, some under other names."""
    names = {"symbol": SYMBOL, "parameters": PARAMETERS, "shapes": SHAPES} | renamed
    return [file(name, content) for name, content in zip(names.values(), parts.model().values(), strict=True)]


def file(name: str, content: bytes = b"") -> Member:
    """A file."""
    return Member(name, Kind.FILE, len(content), io.BytesIO(content))


def folder(name: str) -> Member:
    """A folder."""
    return Member(name, Kind.FOLDER, 0, io.BytesIO())


def other(name: str, kind: Kind) -> Member:
    """A member of any kind, without content."""
    return Member(name, kind, 0, io.BytesIO())


def found(members: list[Member]) -> list[str]:
    """The problems, in words."""
    return [str(problem) for problem in examine(members).problems]


@pytest.mark.parametrize(
    "members",
    [
        model(),
        [folder("model"), *model()],
        [folder(""), folder("."), folder("code"), folder("code"), *model()],
        model(symbol=f"./{SYMBOL}", parameters=f"././{PARAMETERS}"),
        [*model(), file("code/mnist.py", parts.SCRIPT), file("code/data/digits.bin"), file("./code/requirements.txt")],
        [*model(), file("README.md"), file("code/notes/..txt"), file("code/a..b.py")],
        [*model(), file(f"backup/{SYMBOL}", b"junk")],
    ],
    ids=["plain", "stray folder", "folders", "dot names", "code", "extra files", "copies elsewhere"],
)
def test_harmless_habits_pass(members: list[Member]) -> None:
    """What the notebook, tar and the SDK's repacking write is served by the container, and so is not refused."""
    assert found(members) == []


@pytest.mark.parametrize("missing", MODEL_FILES)
def test_missing_member(missing: str) -> None:
    """A missing model file is named, whichever it is."""
    problems = examine([member for member in model() if member.name != missing]).problems
    assert [(problem.code, problem.member) for problem in problems] == [("missing-member", missing)]


def test_missing_member_in_words() -> None:
    """The message says where the file belongs, what was there, and how to pack."""
    (message,) = found([*model()[:2], folder(SHAPES)])
    assert message == (
        "[missing-member] model-shapes.json: expected this file at the top of the tarball, found a folder of that name;"
        " pack with harness.tarball.export, or with `tar -czf model.tar.gz -C FOLDER .`"
    )
    assert "expected this file at the top of the tarball, found none;" in found(model()[:2])[0]


def test_not_flat() -> None:
    """Files inside a folder are told from files that are not there, as the mending differs."""
    problems = examine(model(symbol=f"out/{SYMBOL}", parameters=f"out/{PARAMETERS}", shapes=f"out/{SHAPES}")).problems
    assert [problem.code for problem in problems] == ["not-flat"] * 3
    assert str(problems[0]) == (
        "[not-flat] out/model-symbol.json: not flat: expected model-symbol.json at the top of the tarball, found it"
        " inside a folder; pack with harness.tarball.export, or with `tar -czf model.tar.gz -C FOLDER .`"
    )


def test_not_flat_in_a_folder_of_any_name() -> None:
    """The hint can be printed whatever the folder is called."""
    problems = examine(model(symbol=f"\udc80\x1b/{SYMBOL}")).problems
    assert [problem.code for problem in problems] == ["unsafe-path", "not-flat"]
    assert all(str(problem).isprintable() for problem in problems)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "an absolute path"),
        ("../evil", "a path with '..'"),
        ("code/../../evil", "a path with '..'"),
        ("", "an empty name"),
        ("./", "an empty name"),
        ("code/a\nb", "a name with control characters or bytes that are not UTF-8"),
        ("code/\udcff", "a name with control characters or bytes that are not UTF-8"),
        ("code/nul\0", "a name with control characters or bytes that are not UTF-8"),
        ("é" * 128, "a name of more than 255 bytes"),
        ("a/" * 32 + "a", "a path of more than 32 folders"),
    ],
)
def test_unsafe_path(name: str, reason: str) -> None:
    """Names that would leave the folder, or that no folder can hold, are refused with the reason."""
    problems = examine([*model(), file(name)]).problems
    assert [problem.code for problem in problems] == ["unsafe-path"]
    assert problems[0].found == f"expected a name inside the model's folder, found {reason}"
    assert str(problems[0]).isprintable()


@pytest.mark.parametrize("name", ["/etc", "..", "code/.."])
def test_unsafe_folders(name: str) -> None:
    """Folders are held to the same rule."""
    assert [problem.code for problem in examine([*model(), folder(name)]).problems] == ["unsafe-path"]


def test_link() -> None:
    """Links are refused, symbolic and hard: they can point anywhere."""
    assert found([*model(), other("code/data", Kind.LINK)]) == [
        "[link] code/data: expected files and folders, found a link; pack the file it points to"
    ]


def test_special_file() -> None:
    """Devices and fifos are refused: a container that opened one would hang, or worse."""
    assert found([*model(), other("pipe", Kind.SPECIAL)]) == [
        "[special-file] pipe: expected files and folders, found a device, fifo or sparse file; leave it out"
    ]


@pytest.mark.parametrize("again", [SHAPES, f"./{SHAPES}", f".//{SHAPES}"])
def test_duplicate_member(again: str) -> None:
    """Two members for one path are refused, also when they are spelled differently."""
    problems = examine([*model(), file(again, parts.model()[SHAPES])]).problems
    assert [problem.code for problem in problems] == ["duplicate-member"]
    assert problems[0].found == f"expected each path once, found {SHAPES!r} and {again!r}"


def test_file_and_folder_of_one_name() -> None:
    """A folder does not excuse a file of the same name."""
    assert [problem.code for problem in examine([*model(), folder("a"), file("a")]).problems] == ["duplicate-member"]


def test_path_conflict() -> None:
    """A file cannot hold other members."""
    assert found([*model(), file("code"), file("code/deep/a.txt")]) == [
        "[path-conflict] code: expected a folder, as other members lie in it, found a file; rename one of them"
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["Notes", "notes"], "'Notes' and 'notes'"), (["code/a.txt", "Code/b.txt"], "'Code' and 'code'")],
)
def test_case_collision(names: list[str], expected: str) -> None:
    """Names that differ in case only overwrite each other on some machines."""
    problems = examine([*model(), *map(file, names)]).problems
    assert [problem.code for problem in problems] == ["case-collision"]
    assert problems[0].found == f"expected names that differ in more than case, found {expected}"


def test_all_faults_at_once() -> None:
    """Nobody mends one fault to be told of the next."""
    members = [*model()[:2], file("/a"), other("b", Kind.LINK), file("c"), file("C"), file("c")]
    codes = {"unsafe-path", "link", "case-collision", "duplicate-member", "missing-member"}
    assert {problem.code for problem in examine(members).problems} == codes
