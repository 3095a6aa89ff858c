"""MXNet's account of its own operators, as `harness/tarball/operators.json` keeps it.

``python tests/tarball/operator_table.py`` writes that file anew; a test holds it to the MXNet that is installed.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import re
import sys
from pathlib import Path
from typing import Any

from harness.train import compat

PLACE = Path(__file__).parents[2] / "harness/tarball/operators.json"

INPUTS = {"NDArray-or-Symbol", "NDArray", "Symbol"}
LISTS = {"NDArray-or-Symbol[]", "Symbol or Symbol[]"}

FUSED = "_sg_mkldnn_"
"""Operators that oneDNN's passes make of several: their attributes are read by several parsers, one after the other."""

LEFT_OUT = {
    "Custom",  # calls Python that only the entry point could register, which is never run here
    "_NDArray",  # these two take pointers as text
    "_Native",
    "_CachedOpThreadSafe",
    "_CachedOp",  # made while a program runs, never saved
    "_NoGradient",
    "_FusedOp",
    "_FusedOpHelper",
    "_FusedOpOutHelper",
}


def operator_table() -> dict[str, Any]:
    """Aliases, and for each operator its inputs, the attribute that counts them, its attributes, and its strictness."""
    names = [name for name in _names() if not name.startswith("_backward") and name not in LEFT_OUT]
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # MXNet is loaded there, and nowhere else
        described = pool.map(_describe, names, chunksize=len(names))
    operators, aliases = {}, {}
    for name, own, (inputs, variadic, attributes, strict) in described:
        if own == name:
            operators[name] = [inputs, variadic, attributes, strict]
        else:
            aliases[name] = own
    return {"operators": operators, "aliases": aliases}


def as_text(table: dict[str, Any]) -> str:
    """The file: an operator a line, so that a change reads well."""
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(table["operators"].items())]
    aliases = json.dumps(table["aliases"], sort_keys=True)
    return '{"aliases": ' + aliases + ',\n "operators": {\n' + ",\n".join(lines) + "\n}}\n"


def _names() -> list[str]:
    library = compat.mxnet().base._LIB
    size, names = ctypes.c_uint(), ctypes.POINTER(ctypes.c_char_p)()
    assert library.MXListAllOpNames(ctypes.byref(size), ctypes.byref(names)) == 0
    return sorted(names[index].decode() for index in range(size.value))


def _describe(name: str) -> tuple[str, str, tuple[list[str], str, dict[str, str], bool]]:
    library = compat.mxnet().base._LIB
    handle = ctypes.c_void_p()
    assert library.NNGetOpHandle(name.encode(), ctypes.byref(handle)) == 0
    own, text, variadic, result = (ctypes.c_char_p() for _ in range(4))
    count, keys, kinds, words = ctypes.c_uint(), *(ctypes.POINTER(ctypes.c_char_p)() for _ in range(3))
    out = (own, text, count, keys, kinds, words, variadic, result)
    assert library.MXSymbolGetAtomicSymbolInfo(handle, *(ctypes.byref(value) for value in out)) == 0
    arguments = {keys[index].decode(): kinds[index].decode() for index in range(count.value)}
    inputs = [key for key, kind in arguments.items() if kind in INPUTS | LISTS]
    described = {key: kind for key, kind in arguments.items() if kind not in INPUTS | LISTS}
    parsed = None if name.startswith(FUSED) else _parsed(name)
    strict = parsed is not None
    attributes = described if parsed is None else parsed
    return (
        name,
        own.value.decode(),
        (inputs, variadic.value.decode(), {} if name.startswith(FUSED) else attributes, strict),
    )


def _parsed(name: str) -> dict[str, str] | None:
    """The attributes by which MXNet's parser swears when it is given another; None if it does not look at them."""
    mx = compat.mxnet()
    node = {"op": name, "name": "node", "inputs": [], "attrs": {"no_such_attribute": "1"}}
    graph = {"nodes": [node], "arg_nodes": [], "heads": [[0, 0, 0]], "attrs": {"mxnet_version": ["int", 10901]}}
    try:
        mx.sym.load_json(json.dumps(graph))
    except mx.base.MXNetError as error:
        if "Cannot find argument" in str(error):
            _, _, listed = str(error).partition("Possible Arguments:")
            return dict(re.findall(r"^(\w+) : (.*)$", listed, re.MULTILINE))
    return None


if __name__ == "__main__":
    PLACE.write_text(as_text(operator_table()), encoding="utf-8")
    sys.stdout.write(f"{PLACE}: {PLACE.stat().st_size:,} bytes\n")
