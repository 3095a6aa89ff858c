"""Mutants of ``model-symbol.json``: the graph in it, and what its operators are told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.artifact import SYMBOL
from mutants.operator_settings import VALUES, operators, settings, value

if TYPE_CHECKING:
    from random import Random

    from mutants.archive_bytes import FileMutator
    from mutants.seed_models import Files

GraphEdit = Callable[["Random", dict[str, Any]], Any]
"""Changes the document in place, or returns another."""


def on_graph(edit: GraphEdit) -> FileMutator:
    """The edit made to the graph, which is written as JSON again."""

    def mutate(draw: Random, files: Files) -> Files:
        document = json.loads(files[SYMBOL])
        changed = edit(draw, document)
        return files | {SYMBOL: json.dumps(document if changed is None else changed).encode()}

    return mutate


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes that compute something."""
    return [node for node in document["nodes"] if node["op"] != "null"]


def _reference(draw: Random, document: dict[str, Any]) -> tuple[list[Any], int]:
    """A list of ``[node, output, version]``, and a place in it: of some step's inputs or of the heads."""
    lists = [node["inputs"] for node in document["nodes"] if node["inputs"]] + [document["heads"]] * 2
    chosen = draw.choice([entries for entries in lists if entries])
    return chosen, draw.randrange(len(chosen))


def drop_node(draw: Random, document: dict[str, Any]) -> None:
    """A node left out; what comes after it is found under another number, or its readers are mended."""
    place = draw.randrange(len(document["nodes"]))
    del document["nodes"][place]
    if draw.random() < 0.5:
        _renumber(document, lambda old: old - (old > place))


def double_node(draw: Random, document: dict[str, Any]) -> None:
    """A node twice, with the readers mended."""
    place = draw.randrange(len(document["nodes"]))
    document["nodes"].insert(place, copy.deepcopy(document["nodes"][place]))
    _renumber(document, lambda old: old + (old > place or (old == place and draw.random() < 0.5)))


def insert_step(draw: Random, document: dict[str, Any]) -> None:
    """An operator put between two steps, one that takes a single input most likely."""
    place = draw.choice([place for place, node in enumerate(document["nodes"]) if node["op"] != "null"])
    name = draw.choice([name for name, (inputs, *_) in operators().items() if len(inputs) == 1])
    node = {"op": name, "name": "inserted", "attrs": settings(draw, name), "inputs": [[place, 0, 0]]}
    _renumber(document, lambda old: old + (old >= place))
    document["nodes"].insert(place + 1, node)
    own = document["nodes"][place]["inputs"]
    own[:] = [[old - (old > place), *rest] for old, *rest in own]


def _renumber(document: dict[str, Any], change: Callable[[int], int]) -> None:
    for entry in [entry for node in document["nodes"] for entry in node["inputs"]] + document["heads"]:
        entry[0] = change(entry[0])
    document["arg_nodes"] = [change(old) for old in document["arg_nodes"]]


def swap_nodes(draw: Random, document: dict[str, Any]) -> None:
    """Two nodes in each other's place."""
    one, other = draw.sample(range(len(document["nodes"])), 2)
    nodes = document["nodes"]
    nodes[one], nodes[other] = nodes[other], nodes[one]


def retarget(draw: Random, document: dict[str, Any]) -> None:
    """An input or a head of another node."""
    entries, place = _reference(draw, document)
    count = len(document["nodes"])
    entries[place][0] = draw.choice([draw.randrange(count), draw.randrange(count), count, -1, 1 << 31, 1 << 64])


def other_output(draw: Random, document: dict[str, Any]) -> None:
    """Another output of the node, or another version of the variable."""
    entries, place = _reference(draw, document)
    entries[place][draw.choice([1, 1, 2])] = draw.choice([1, 2, 3, 7, 1 << 20, 1 << 31, 1 << 32, -1])


def reference_form(draw: Random, document: dict[str, Any]) -> None:
    """A reference with too few or too many numbers, or with something else in it."""
    entries, place = _reference(draw, document)
    node = entries[place][0]
    entries[place] = draw.choice(
        [[node], [node, 0], [node, 0, 0, 0], node, [], None, [[node, 0, 0]], [str(node), 0, 0]]
    )


def more_inputs(draw: Random, document: dict[str, Any]) -> None:
    """A step with an input more, fewer, twice, or in another order; a variable with an input."""
    node = draw.choice(document["nodes"] if draw.random() < 0.2 else steps(document))
    place = document["nodes"].index(node)
    inputs = node["inputs"]
    match draw.randrange(4) if inputs else 0:
        case 0:
            inputs.append([draw.randrange(place or 1), 0, 0])
        case 1:
            inputs.pop(draw.randrange(len(inputs)))
        case 2:
            inputs.append(draw.choice(inputs))
        case _:
            draw.shuffle(inputs)


def heads(draw: Random, document: dict[str, Any]) -> None:
    """Other outputs of the model: none, several, the same twice, a variable."""
    count = len(document["nodes"])
    several = [[draw.randrange(count), 0, 0] for _ in range(draw.randint(1, 3))]
    document["heads"] = draw.choice([[], several, document["heads"] + several, document["heads"] * 2, [[0, 0, 0]]])


def arg_nodes(draw: Random, document: dict[str, Any]) -> None:
    """Another list of variables."""
    known = document["arg_nodes"]
    document["arg_nodes"] = draw.choice(
        [[], known[1:], known[::-1], [*known, len(document["nodes"]) - 1], [*known, 999], known * 2, None, [[0]]]
    )


def other_operator(draw: Random, document: dict[str, Any]) -> None:
    """A step by another operator, with the attributes that it had, with none or with the new one's."""
    node = draw.choice(steps(document))
    node["op"] = draw.choice([*operators(), "Custom", "Nope", "null", "", "softmax", "Softmax"])
    node["attrs"] = draw.choice([node.get("attrs", {}), {}, settings(draw, node["op"])])


def names(draw: Random, document: dict[str, Any]) -> None:
    """Names swapped, doubled, emptied, or other ones."""
    one, other = draw.sample(document["nodes"], 2)
    odd = ["", " ", "data", "softmax_label", "é\u4e2d", "\ud800", "a" * 10_000, "x\0y", "arg:x", "a\nb", "fc1_weight "]
    match draw.randrange(3):
        case 0:
            one["name"], other["name"] = other["name"], one["name"]
        case 1:
            one["name"] = other["name"]
        case _:
            one["name"] = draw.choice(odd)


def types(draw: Random, document: dict[str, Any]) -> Any:
    """A part of the document of another type, or missing, or new."""
    part = draw.choice([document, draw.choice(document["nodes"])])
    key = draw.choice(list(part))
    if draw.random() < 0.3:
        del part[key]
        return None
    more = ["subgraphs", "control_deps", "backward_source_id", "attr", "param", "is_np_shape", "more", key, key, key]
    part[draw.choice(more)] = draw.choice(
        [
            None,
            0,
            -1,
            1.5,
            "",
            "x",
            [],
            [0],
            [[0, 0, 0]],
            {},
            {"x": "y"},
            {"num_hidden": "3"},
            True,
            [None],
            [document["heads"]],
        ]
    )
    return draw.choice([None, None, None, [document], document["nodes"]])


def version(draw: Random, document: dict[str, Any]) -> None:
    """Another version of MXNet, or other attributes of the whole graph."""
    document["attrs"] = draw.choice(
        [
            {"mxnet_version": ["int", draw.choice([0, 700, 800, 904, 1000, 10400, 20000, -1, 1 << 40])]},
            {"mxnet_version": ["str", "10901"]},
            {"mxnet_version": 10901},
            {"is_np_shape": ["int", draw.choice([0, 1, 2])]},
            {"mxnet_version": ["int", 10901], "is_np_shape": ["int", 1]},
            {"x": ["size_t", 1]},
            {"x": ["nope", 1]},
        ]
    )


def chain(draw: Random, document: dict[str, Any]) -> None:
    """Hundreds of steps in a row after the last, each perhaps adding its input to itself."""
    last = document["heads"][0][0]
    op, count = draw.choice([("relu", 1), ("elemwise_add", 2), ("Flatten", 1), ("add_n", 2)])
    for _ in range(draw.choice([3, 40, 400, 5_000])):
        attrs = {"num_args": "2"} if op == "add_n" else {}
        document["nodes"].append({"op": op, "name": f"c{last}", "attrs": attrs, "inputs": [[last, 0, 0]] * count})
        last = len(document["nodes"]) - 1
    document["heads"] = [[last, 0, 0]]


def huge_middle(draw: Random, document: dict[str, Any]) -> None:
    """A step whose output needs more memory than a machine has, folded again afterwards."""
    last = document["heads"][0][0]
    attrs = draw.choice(
        [
            {"reps": "(1, 1000000000)"},
            {"reps": "(100000, 100000)"},
            {"reps": "(65536, 65536, 65536, 65536)"},
            {"reps": "(3000, 3000)"},
        ]
    )
    document["nodes"].append({"op": "tile", "name": "tile", "attrs": attrs, "inputs": [[last, 0, 0]]})
    document["nodes"].append({"op": "max", "name": "max", "attrs": {"axis": "1"}, "inputs": [[last + 1, 0, 0]]})
    document["heads"] = [[last + 2, 0, 0]]


GRAPHS: dict[str, FileMutator] = {
    edit.__name__: on_graph(edit)
    for edit in (
        drop_node,
        double_node,
        insert_step,
        swap_nodes,
        retarget,
        other_output,
        reference_form,
        more_inputs,
        heads,
        arg_nodes,
        other_operator,
        names,
        types,
        version,
        chain,
        huge_middle,
    )
}


def _some_step(draw: Random, document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """A step, its attributes, and those that its operator knows."""
    node = draw.choice(steps(document))
    return node, node.setdefault("attrs", {}), operators()[node["op"]][2]


def set_attribute(draw: Random, document: dict[str, Any]) -> None:
    """An attribute that the operator knows, set to a value that may fit its type."""
    _, attributes, known = _some_step(draw, document)
    if known:
        name = draw.choice(list(known))
        attributes[name] = value(draw, known[name])


def change_attribute(draw: Random, document: dict[str, Any]) -> None:
    """An attribute that was given, changed."""
    given = [node["attrs"] for node in steps(document) if node["attrs"]]
    attributes = draw.choice(given)
    name = draw.choice(list(attributes))
    old = attributes[name]
    more = [old + " ", " " + old, old + "0", old * 100_000, old[:-1], old.upper(), "-" + old, draw.choice(VALUES)]
    attributes[name] = draw.choice(more)


def drop_attribute(draw: Random, document: dict[str, Any]) -> None:
    """An attribute fewer."""
    given = [node["attrs"] for node in steps(document) if node["attrs"]]
    attributes = draw.choice(given)
    del attributes[draw.choice(list(attributes))]


def unknown_attribute(draw: Random, document: dict[str, Any]) -> None:
    """An attribute that the operator does not know, or that MXNet itself reads."""
    node = draw.choice(document["nodes"])
    hidden = ["__shape__", "__dtype__", "__storage_type__", "__init__", "__lr_mult__", "__layout__", "__ctx_group__"]
    open_names = ["lr_mult", "wd_mult", "force_mirroring", "ctx_group", "weight_lr_mult", "foo", "", "name", "num_args"]
    values = [*VALUES, "(3, 3)", "(1, 5)", "(4, 5)", "(4, 0)", "7", "99", "cpu", "gpu", "row_sparse", "\0", "é"]
    node.setdefault("attrs", {})[draw.choice(hidden + open_names)] = draw.choice(values)


def attribute_type(draw: Random, document: dict[str, Any]) -> None:
    """Attributes that are no text, or stand under another key."""
    node = draw.choice(steps(document))
    key = draw.choice(["attr", "param", "attrs"])
    values = [3, 3.0, True, None, [3], {"a": "b"}]
    given = node.pop("attrs")
    node[key] = draw.choice([given, given, {name: draw.choice(values) for name in given}, [], "x", None])


ATTRIBUTES: dict[str, FileMutator] = {
    edit.__name__: on_graph(edit)
    for edit in (set_attribute, change_attribute, drop_attribute, unknown_attribute, attribute_type)
}
