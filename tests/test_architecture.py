"""The house's rooms: who may import whom, who may import what, and what stays unloaded.

Imports are read from the source: those at the top of a module, those for type checkers, and those inside functions.
"""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REPOSITORY = Path(__file__).resolve().parents[1]

DECLARATIONS = frozenset({"experiment", "hyperparameters", "initializer", "optimizer", "schedule"})

VOCABULARY = DECLARATIONS | {"errors", "result", "verdict", "artifact", "resources"}

ROOMS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "experiment": DECLARATIONS | {"errors"},
    "hyperparameters": frozenset({"errors", "optimizer"}),
    "initializer": frozenset({"errors"}),
    "optimizer": frozenset({"errors"}),
    "schedule": frozenset({"errors"}),
    "result": frozenset({"errors", "experiment", "artifact"}),  # artifact for the type of a shape
    "verdict": frozenset(),
    "artifact": frozenset({"errors"}),
    "resources": frozenset({"errors"}),
    "storage": frozenset(),
    "data": VOCABULARY | {"storage"},
    "train": VOCABULARY | {"storage"},
    "gate": VOCABULARY | {"storage"},
    "tarball": VOCABULARY,
    "cloud": VOCABULARY | {"storage", "tarball.verify", "tarball.loading"},
    "simulator": VOCABULARY | {"tarball.verify", "tarball.extract", "train.cuda_libraries"},
    "canvas": VOCABULARY,
    "report": VOCABULARY | {"storage"},
    "__init__": VOCABULARY | {"canvas", "data", "gate", "tarball"},  # the public face: what experiment modules name
}
"""Which rooms and modules a room may import, wherever the import stands. A room may always import its own."""

FRONT = frozenset({"plugin", "cli"})
"""These may import anything, but for other rooms inside function bodies or for type checkers only."""

EXCLUSIVE = {
    "boto3": ("cloud",),
    "botocore": ("cloud",),
    "s3transfer": ("cloud",),
    "sagemaker": ("cloud",),
    "mxnet": ("train.compat",),
    "jax": ("train.xla",),
    "jaxlib": ("train.xla",),
    "moto": ("simulator",),
    "sagemaker_mxnet_serving_container": ("tarball.loading_child",),
    "werkzeug": ("simulator", "canvas"),
    "jinja2": ("report",),
    "PIL": ("report",),
    "mlflow": ("report.tracking",),
}
"""Packages that one room, or one module, alone may import; werkzeug serves both the account and the page."""

DRAWERS = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
"""Names that say nothing of what is inside."""

HEAVY = (
    "mxnet",
    "jax",
    "boto3",
    "botocore",
    "sagemaker",
    "moto",
    "matplotlib",
    "mlflow",
    "sqlalchemy",
    "scipy",
    "jinja2",
    "PIL",
    "werkzeug",
)
"""What loading the plugin, or collecting the tests, must not load."""


class Where(Enum):
    """Where an import stands."""

    TOP = "at the top"
    TYPES = "for type checkers"
    BODY = "inside a function"


@dataclass(frozen=True)
class Import:
    """One import statement's target.

    Attributes:
        module: the file it stands in, as dotted name from the package's root; of a package its ``__init__``.
        target: the dotted name imported, made absolute.
        where: where it stands.
    """

    module: str
    target: str
    where: Where

    @property
    def room(self) -> str:
        """The room of the file it stands in."""
        return self.module.split(".")[0]

    @property
    def ours(self) -> str:
        """The target within ``harness``, or "" if it is somebody else's."""
        package, _, rest = self.target.partition(".")
        return (rest or "__init__") if package == "harness" else ""

    def __str__(self) -> str:
        return f"{self.module} imports {self.target} {self.where.value}"


def module_name(path: Path, root: Path) -> str:
    """Dotted name of a file below a package's folder."""
    return ".".join(path.relative_to(root).with_suffix("").parts)


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    """Every import of a file in the package whose folder is ``root``."""
    module = module_name(path, root)
    for node, where in statements(ast.parse(path.read_bytes()), Where.TOP):
        yield from (Import(module, target, where) for target in targets(node, path, root))


def statements(node: ast.AST, where: Where) -> Iterator[tuple[ast.AST, Where]]:
    """Every node below one, with where an import would stand there."""
    for child in ast.iter_child_nodes(node):
        yield child, where
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, Where.BODY)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING") and where is Where.TOP:
            yield from ((grandchild, Where.TYPES) for body in child.body for grandchild in ast.walk(body))
            yield from ((grandchild, where) for other in child.orelse for grandchild in ast.walk(other))
        else:
            yield from statements(child, where)


def targets(node: ast.AST, path: Path, root: Path) -> list[str]:
    """The dotted names that a statement imports; of ``from package import name`` the module, if the name is one."""
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module=source, names=names, level=level):
            base = source or ""
            if level:
                package = (root.name, *path.relative_to(root).parent.parts)
                base = ".".join((*package[: len(package) - level + 1], *([source] if source else [])))
            folder = root.parent.joinpath(*base.split("."))
            inside = [
                name.name for name in names if (folder / f"{name.name}.py").exists() or (folder / name.name).is_dir()
            ]
            whole = [base] if len(inside) < len(names) else []
            return whole + [f"{base}.{name}" for name in inside]
        case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
            return [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
    return []


def all_imports(root: Path) -> list[Import]:
    """Every import of every file of a package."""
    return [found for path in sorted(root.rglob("*.py")) for found in imports_of(path, root)]


def allows(permitted: Iterable[str], name: str) -> bool:
    """Whether a dotted name is one of those permitted, or inside one."""
    return any(name == entry or name.startswith(f"{entry}.") for entry in permitted)


def broken_room_rules(root: Path) -> list[str]:
    """Imports of a room that the table does not give it, and rooms that are not in the table."""
    known = ROOMS.keys() | FRONT
    rooms = {module_name(path, root).split(".")[0] for path in root.rglob("*.py")}
    unknown = [f"{room} is no room of the table" for room in sorted(rooms - known)]
    return unknown + [
        str(found)
        for found in all_imports(root)
        if found.ours and found.room in ROOMS and not allows({*ROOMS[found.room], found.room}, found.ours)
    ]


def broken_front_rules(root: Path) -> list[str]:
    """Imports by which loading the plugin or the command would load another room."""
    return [
        str(found)
        for found in all_imports(root)
        if found.ours and found.room in FRONT and found.where is Where.TOP and not allows({found.room}, found.ours)
    ]


def broken_exclusive_rules(root: Path) -> list[str]:
    """Imports of a package outside the one place that it belongs to."""
    return [
        str(found)
        for found in all_imports(root)
        if (homes := EXCLUSIVE.get(found.target.split(".")[0])) and not allows(homes, found.module)
    ]


def room_cycle(root: Path) -> list[str]:
    """Rooms that import each other in a circle, counting every import; [] if there are none."""
    edges = ((found.room, found.ours.split(".")[0]) for found in all_imports(root) if found.ours)
    return cycle(edges)


def module_cycle(root: Path) -> list[str]:
    """Modules that import each other in a circle, counting all but imports inside functions; [] if there are none."""
    modules = {module_name(path, root).removesuffix(".__init__") for path in root.rglob("*.py")}
    edges = (
        (found.module.removesuffix(".__init__"), found.ours)
        for found in all_imports(root)
        if found.where is not Where.BODY and found.ours in modules
    )
    return cycle(edges)


def cycle(edges: Iterable[tuple[str, str]]) -> list[str]:
    """The first circle of a graph, or []."""
    graph: dict[str, set[str]] = {}
    for source, target in edges:
        if source != target:
            graph.setdefault(source, set()).add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def drawers(root: Path) -> list[str]:
    """Modules and folders whose name says nothing."""
    parts = {path for file in root.rglob("*.py") for path in (file, *file.relative_to(root).parents)}
    return sorted(path.name for path in parts if path.name.removesuffix(".py") in DRAWERS)


def broken_entry_point_rules(folder: Path) -> list[str]:
    """What the script that ships in the tarball imports besides MXNet and the standard library."""
    permitted = {"mxnet", *sys.stdlib_module_names}
    return [str(found) for found in imports_of(folder / "mnist.py", folder) if not allows(permitted, found.target)]


def broken_experiment_rules(folder: Path) -> list[str]:
    """What experiment modules import of ours besides ``harness`` itself."""
    ours = {path.stem for path in folder.glob("*.py")} | {"experiments", "benchmarks", "tests"}
    return [
        str(found)
        for path in sorted(folder.glob("test_*.py"))
        for found in imports_of(path, folder)
        if found.target.startswith("harness.") or found.target.split(".")[0] in ours
    ]


RULES = (
    broken_room_rules,
    broken_front_rules,
    broken_exclusive_rules,
    room_cycle,
    module_cycle,
    drawers,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_harness_keeps_the_rule(rule: Callable[[Path], list[str]]) -> None:
    """No module under ``harness/`` breaks it."""
    assert rule(REPOSITORY / "harness") == []


@pytest.mark.parametrize(
    "rule", [broken_entry_point_rules, broken_experiment_rules, drawers], ids=lambda rule: rule.__name__
)
def test_the_experiments_keep_the_rule(rule: Callable[[Path], list[str]]) -> None:
    """The script that ships needs no harness, and experiment modules need nothing of ours but ``harness``."""
    assert rule(REPOSITORY / "experiments") == []


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_nothing_else_is_a_drawer_either(folder: str) -> None:
    """Names say what is inside, also beside the harness."""
    assert drawers(REPOSITORY / folder) == []


def test_every_stage_has_a_module() -> None:
    """Control: the reader finds the rooms that exist; an empty folder would keep every rule."""
    found = {entry.room for entry in all_imports(REPOSITORY / "harness")}
    assert {"train", "data", "gate", "tarball", "cloud", "simulator", "report", "plugin"} <= found


@pytest.mark.parametrize(
    ("rule", "files", "finding"),
    [
        (
            broken_room_rules,
            {"train/engine.py": "def f():\n    from harness.cloud.deploy import deploy"},
            "train.engine imports harness.cloud.deploy inside a function",
        ),
        (
            broken_room_rules,
            {"gate/rules.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from harness.plugin import x"},
            "gate.rules imports harness.plugin for type checkers",
        ),
        (
            broken_room_rules,
            {"simulator/account.py": "from harness.tarball.export import pack"},
            "simulator.account imports harness.tarball.export at the top",
        ),
        (
            broken_room_rules,
            {"cloud/session.py": "from ..simulator import account", "simulator/account.py": ""},
            "cloud.session imports harness.simulator.account at the top",
        ),
        (
            broken_room_rules,
            {"data/idx.py": "from harness import Experiment"},
            "data.idx imports harness at the top",
        ),
        (
            broken_room_rules,
            {"errors.py": "import harness.artifact"},
            "errors imports harness.artifact at the top",
        ),
        (broken_room_rules, {"attic/box.py": ""}, "attic is no room of the table"),
        (
            broken_front_rules,
            {"plugin/plugin.py": "from harness.train.engine import ENGINES"},
            "plugin.plugin imports harness.train.engine at the top",
        ),
        (
            broken_front_rules,
            {"plugin/plugin.py": "try:\n    from harness.errors import HarnessError\nexcept ImportError:\n    pass"},
            "plugin.plugin imports harness.errors at the top",
        ),
        (
            broken_exclusive_rules,
            {"plugin/fixtures.py": "def f():\n    import boto3"},
            "plugin.fixtures imports boto3 inside a function",
        ),
        (
            broken_exclusive_rules,
            {"train/mxnet_engine.py": "import mxnet as mx"},
            "train.mxnet_engine imports mxnet at the top",
        ),
        (
            broken_exclusive_rules,
            {"cloud/deploy.py": "class C:\n    def f(self):\n        from moto.server import x"},
            "cloud.deploy imports moto.server inside a function",
        ),
        (
            broken_exclusive_rules,
            {"report/summary.py": "def f():\n    return importlib.import_module('sagemaker.session')"},
            "report.summary imports sagemaker.session inside a function",
        ),
        (
            room_cycle,
            {
                "data/idx.py": "def f():\n    import harness.gate.rules",
                "gate/rules.py": "def f():\n    import harness.data.idx",
            },
            "gate",
        ),
        (
            module_cycle,
            {
                "train/engine.py": "from harness.train import scores",
                "train/scores.py": "if TYPE_CHECKING:\n    from harness.train.engine import Engine",
            },
            "train.engine",
        ),
        (drawers, {"train/utils.py": ""}, "utils.py"),
        (drawers, {"common/idx.py": ""}, "common"),
    ],
)
def test_a_planted_module_breaks_the_rule(
    tmp_path: Path, rule: Callable[[Path], list[str]], files: dict[str, str], finding: str
) -> None:
    """Control: each rule reports a module that breaks it, wherever in the module the import stands."""
    root = tmp_path / "harness"
    plant(root, files)
    assert finding in rule(root)


@pytest.mark.parametrize(
    ("rule", "files", "finding"),
    [
        (
            broken_entry_point_rules,
            {"mnist.py": "import gzip\nimport mxnet as mx\n\ndef train():\n    import numpy"},
            "mnist imports numpy inside a function",
        ),
        (broken_entry_point_rules, {"mnist.py": "import harness"}, "mnist imports harness at the top"),
        (
            broken_experiment_rules,
            {"test_x.py": "from harness import mnist\nfrom harness.gate.rules import AccuracyFloor"},
            "test_x imports harness.gate.rules at the top",
        ),
        (broken_experiment_rules, {"test_x.py": "import mnist", "mnist.py": ""}, "test_x imports mnist at the top"),
    ],
)
def test_a_planted_experiment_breaks_the_rule(
    tmp_path: Path, rule: Callable[[Path], list[str]], files: dict[str, str], finding: str
) -> None:
    """Control: the rules for experiments report exactly the import that breaks them."""
    plant(tmp_path, files)
    assert rule(tmp_path) == [finding]


def plant(root: Path, files: dict[str, str]) -> None:
    """Write files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


REPORT = f"import sys; print('loaded:', *sorted({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY})))"

OBSERVER = f"""
def pytest_unconfigure(config):
    {REPORT}
"""


def loaded_by(*arguments: str, python_path: Path | None = None) -> list[str]:
    """The heavy packages that ``python ARGUMENTS``, which has to report them, has loaded."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    if python_path is not None:
        environment["PYTHONPATH"] = str(python_path)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("loaded:")]
    return line.split()[1:]


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    """What every pytest session in this environment pays, with or without experiments, is the light part alone."""
    assert loaded_by("-c", f"import harness, harness.plugin.plugin, harness.plugin.fixtures\n{REPORT}") == []


@pytest.mark.parametrize("package", ["boto3", "scipy"])
def test_the_report_would_name_a_heavy_package(package: str) -> None:
    """Control: with one loaded, the same report has it."""
    assert package in loaded_by("-c", f"import harness, harness.plugin.plugin, {package}\n{REPORT}")


def test_collecting_this_repository_loads_nothing_heavy(tmp_path: Path) -> None:
    """``pytest --collect-only`` of all tests and experiments, this one included, stays light."""
    (tmp_path / "observer.py").write_text(OBSERVER, encoding="utf-8")
    collect = ("-m", "pytest", "--collect-only", "-q", "-p", "observer", "-p", "no:cacheprovider")
    assert loaded_by(*collect, python_path=tmp_path) == []


def test_collecting_a_heavy_module_is_reported(tmp_path: Path) -> None:
    """Control: a test module with a heavy import at its top shows up in the same report."""
    (tmp_path / "observer.py").write_text(OBSERVER, encoding="utf-8")
    (tmp_path / "test_heavy.py").write_text("import botocore\n\n\ndef test_heavy(): ...\n", encoding="utf-8")
    collect = ("-m", "pytest", "--collect-only", "-q", "-p", "observer", "-p", "no:cacheprovider", "--rootdir")
    assert loaded_by(*collect, str(tmp_path), str(tmp_path), python_path=tmp_path) == ["botocore"]
