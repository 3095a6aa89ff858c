"""What a value of a class of the user's own does, as a digest: its state, and all code that it runs.

A schedule or an initializer may be the user's own. A model that was trained with it may be taken from the cache only
if that value would do the same today. What it does follows from what it holds, and from its code as it was loaded:
its methods, closures, the functions and constants they refer to, in whatever file. Where something may change unseen
(a clock, a file, a module that is not known), there is no digest, and nothing is cached.
"""

from __future__ import annotations

import abc
import dataclasses
import dis
import functools
import inspect
import json
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol

import numpy as np

from harness.train.digests import arrays_digest, digest_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from numpy.typing import NDArray

PURE = frozenset(
    (
        *("__future__", "abc", "bisect", "builtins", "cmath", "collections", "dataclasses", "decimal", "enum"),
        *("fractions", "functools", "itertools", "math", "numbers", "numpy", "operator", "statistics", "typing"),
    )
)
"""Modules that a class of the user's may use: what they give depends on what they are given, and on their version."""

IMPURE = frozenset(
    (
        *("__import__", "compile", "eval", "exec", "fromfile", "genfromtxt", "globals", "input", "load", "loadtxt"),
        *("memmap", "open"),
    )
)
"""Names of functions that bring in what cannot be seen from here: files, or values by names made up while running."""

_PLAIN = (bool, bytes, complex, float, int, str, type(None), type(...))
_CONTAINERS = (dict, frozenset, list, set, tuple)
_PLACES = (object, abc.ABC, Generic, Protocol)
_CACHED = type(functools.cache(len))
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)

_INERT = frozenset(
    (
        *("__init__", "__post_init__", "__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__"),
        *("__setattr__", "__delattr__", "__replace__", "_abc_impl"),
    )
)
"""Members that decide nothing beyond what an instance holds; `dataclasses` writes most of them."""


class OpaqueError(Exception):
    """Something decides a training and may change unseen; the message is a clause that tells what and how."""


def value_digest(value: object, seen: Collection[str] = ()) -> str:
    """SHA-256 of all that decides what a value of the user's does: what it holds, and the code that it runs.

    A value may be a number, a text, an array, a container of them, or an instance of a dataclass: its fields and all
    else that it holds count. Of its class, and of each that this inherits from, the text of the file counts, its
    methods as they were loaded, and what these refer to outside of themselves: closures, functions, constants, also
    those imported from other files.

    Args:
        value: such as a schedule.
        seen: modules whose text is looked at elsewhere: what they define counts by its name.

    Raises:
        OpaqueError: it refers to something that may change without being seen from here.
    """
    try:
        return digest_of(json.dumps(_Walk(seen).of(value)).encode())
    except (RecursionError, AttributeError, OSError, TypeError, ValueError) as error:
        raise OpaqueError(f"{type(value).__qualname__} cannot be compared with another run's ({error})") from error


class _Walk:
    """A walk over a value and what it is made of, each met once."""

    def __init__(self, seen: Collection[str]) -> None:
        self._seen = seen
        self._met: dict[int, tuple[int, object]] = {}

    def of(self, value: object) -> Any:
        """A value as JSON, two of which are equal only if the values do the same."""
        kind = type(value)
        if kind in _PLAIN:
            return [kind.__name__, repr(value)]
        if kind in _CONTAINERS:
            return [kind.__name__, *self._members(value)]
        if isinstance(value, np.ndarray | np.generic):
            return _array(value)
        if id(value) in self._met:
            return ["met", self._met[id(value)][0]]
        self._met[id(value)] = len(self._met), value  # kept, so that no other gets its id
        return self._composed(value)

    def _members(self, container: Any) -> Iterable[Any]:
        if isinstance(container, dict):
            return ([self.of(name), self.of(member)] for name, member in container.items())
        found = map(self.of, container)
        return sorted(map(json.dumps, found)) if isinstance(container, set | frozenset) else found

    def _composed(self, value: object) -> Any:
        name = self._name(value)
        if name:
            return ["known", name]
        if isinstance(value, _CACHED):
            return self.of(value.__wrapped__)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.CodeType):
            return self._code(value)
        if isinstance(value, type):
            return self._class(value)
        if dataclasses.is_dataclass(value):
            return self._instance(value)
        kind = getattr(value, "__name__", type(value).__qualname__)
        raise OpaqueError(f"{kind} may change unseen: it is neither a plain value nor of a dataclass")

    def _instance(self, value: Any) -> Any:
        bases = type(value).__mro__
        for base in bases:
            if base not in _PLACES and self._name(base).partition(".")[0] in PURE:
                raise OpaqueError(f"{type(value).__qualname__} holds more than its fields: it is a {base.__name__}")
        members = [(name, member) for base in bases for name, member in vars(base).items()]
        derived = {name for name, member in members if isinstance(member, functools.cached_property)}
        held = {name for name, member in members if isinstance(member, types.MemberDescriptorType)}
        held |= {field.name for field in dataclasses.fields(value)} | getattr(value, "__dict__", {}).keys()
        state = {name: self.of(getattr(value, name)) for name in sorted(held - derived) if hasattr(value, name)}
        return ["instance", self.of(type(value)), state]

    def _class(self, cls: type) -> Any:
        members = {
            name: [self.of(part) for part in _parts(member)]
            for name, member in vars(cls).items()
            if not _is_inert(name, member)
        }
        parents = [self.of(parent) for parent in (type(cls), *cls.__mro__[1:])]
        return ["class", cls.__module__, cls.__qualname__, _text(inspect.getsourcefile(cls)), parents, members]

    def _function(self, function: types.FunctionType) -> Any:
        outside = function.__globals__
        names = sorted({name for code in _codes(function.__code__) for name in self._outside(code)})
        return [
            *("function", function.__qualname__, _text(function.__code__.co_filename)),
            self._code(function.__code__),
            [self.of(part) for part in (function.__defaults__, function.__kwdefaults__, vars(function))],
            [self.of(cell.cell_contents) for cell in function.__closure__ or ()],
            {name: self.of(outside[name]) for name in names if name in outside},
        ]

    def _code(self, code: types.CodeType) -> Any:
        """As it was loaded: its file may have been edited since."""
        steps = [code.co_code.hex(), code.co_exceptiontable.hex()]
        return ["code", *steps, code.co_names, code.co_freevars, [self.of(constant) for constant in code.co_consts]]

    def _outside(self, code: types.CodeType) -> Iterator[str]:
        """Global names that code reads, but for pytest's own, which begin with @."""
        impure = IMPURE.intersection(code.co_names)
        if impure:
            raise OpaqueError(f"{code.co_name}() may bring in what cannot be seen: it uses {min(impure)}")
        for step in dis.get_instructions(code):
            if step.opname == "IMPORT_NAME" and not self._knows(step.argval):
                raise OpaqueError(
                    f"{code.co_name}() imports {step.argval or 'from its package'}, which may change unseen"
                )
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and not step.argval.startswith("@"):
                yield step.argval

    def _name(self, value: object) -> str:
        """The name of a module that is known, or under which such a module itself holds a value; "" for all else."""
        if isinstance(value, types.ModuleType):
            return value.__name__ if self._knows(value.__name__) else ""
        module = "numpy" if isinstance(value, np.ufunc) else getattr(value, "__module__", None)
        name = getattr(value, "__qualname__", getattr(value, "__name__", None))
        if not isinstance(module, str) or not isinstance(name, str) or not self._knows(module):
            return ""
        held: object = sys.modules.get(module)
        for part in name.split("."):  # a decorator may have given its name to another function
            held = getattr(held, part, None)
        return f"{module}.{name}" if held is value else ""

    def _knows(self, module: str) -> bool:
        return module.partition(".")[0] in PURE or any(f"{module}.".startswith(f"{name}.") for name in self._seen)


def _array(value: NDArray[Any] | np.generic) -> Any:
    if (type(value) is not np.ndarray and not isinstance(value, np.generic)) or value.dtype.kind not in "biufc":
        raise OpaqueError(f"an array of type {value.dtype} ({type(value).__name__}) may change unseen")
    return ["array", type(value).__name__, arrays_digest({"": np.asarray(value)})]


def _text(path: str | None) -> str:
    try:
        return digest_of(Path(path or "").read_bytes())
    except OSError as error:
        raise OpaqueError(f"the text of a class or function cannot be read ({error.strerror}: {path})") from error


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Code, and that of the functions inside."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _parts(member: object) -> tuple[object, ...]:
    """The functions that a member of a class is made of, or itself."""
    if isinstance(member, property):
        return member.fget, member.fset, member.fdel
    if isinstance(member, functools.cached_property):
        return (member.func,)
    if isinstance(member, staticmethod | classmethod):
        return (member.__func__,)
    return (member,)


def _is_inert(name: str, member: object) -> bool:
    """Whether a member of a class cannot decide what its instances compute, beyond what they hold."""
    if name in _INERT or isinstance(member, _DESCRIPTORS):
        return True
    special = name.startswith("__") and name.endswith("__")
    own = isinstance(member, types.FunctionType) and member.__globals__.get("__name__") not in PURE
    return special and not own
