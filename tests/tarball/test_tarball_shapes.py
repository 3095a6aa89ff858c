"""Shapes are those that MXNet finds, what does not fit is told, and no number is too large."""

from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest
import tarball_shape_operators as operators
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tarball_shape_cases import MXNET, Answer, Case, disagreements, of_mxnet, ours
from tarball_shape_graphs import Builder, broken, networks

from harness.tarball.node import VARIABLE, Node
from harness.tarball.operators import operator
from harness.tarball.shapes import inference
from harness.tarball.shapes.inference import infer
from harness.tarball.shapes.registry import RULES
from harness.tarball.shapes.rule import Found, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hypothesis.strategies import SearchStrategy

    from harness.artifact import Shape

LONG = settings.get_current_profile_name() == "long"

FAMILIES = {
    "layers": operators.LAYERS,
    "normalizing": operators.NORMALIZING,
    "losses": operators.LOSSES,
    "moving": operators.MOVING,
    "reducing": operators.REDUCING,
    "elementwise": operators.ELEMENTWISE,
}


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[Sequence[Case]], list[Answer]]]:
    """MXNet, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield lambda graphs: pool.apply(of_mxnet, (graphs,))


def drawn(strategy: SearchStrategy[Case], examples: int) -> list[Case]:
    """Random cases, always the same unless ``--hypothesis-profile=long``, to be asked all at once."""
    found: list[Case] = []

    @settings(
        max_examples=examples * 20 if LONG else examples,
        derandomize=not LONG,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(strategy)
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_an_operator_has_the_shapes_that_mxnet_finds(family: str, ask: Callable[..., list[Answer]]) -> None:
    """Of whole operators every shape and the number of outputs; of broken ones that they are, or are not known."""
    graphs = [case for strategy in FAMILIES[family].values() for case in drawn(strategy, 12)]
    answers = ask(graphs)
    assert not disagreements(graphs, answers)
    assert sum(answer.complete for answer in answers) > len(answers) / 5
    assert sum(answer.refused for answer in answers) > len(answers) / 20


def test_a_network_has_the_shapes_that_mxnet_finds(ask: Callable[..., list[Answer]]) -> None:
    """Every parameter, state, label and output of random networks is known."""
    graphs = drawn(networks(), 40)
    answers = ask(graphs)
    assert not disagreements(graphs, answers)
    assert all(answer.complete for answer in answers)


def test_a_broken_network_is_never_called_whole(ask: Callable[..., list[Answer]]) -> None:
    """Whatever MXNet refuses has a fault or something unknown, and what has a fault MXNet refuses."""
    graphs = drawn(broken(), 80)
    answers = ask(graphs)
    assert not disagreements(graphs, answers)
    assert sum(answer.refused for answer in answers) > len(answers) / 3


def test_a_wrong_rule_would_be_found(monkeypatch: pytest.MonkeyPatch, ask: Callable[..., list[Answer]]) -> None:
    """The comparison fails for a rule that is off by one, one that counts outputs wrong, and one that refuses all."""
    graphs = [Case.of_one("Flatten", {}, [(2, 3, 4)], 0)]
    answers = ask(graphs)
    assert not disagreements(graphs, answers)
    for size, outputs in ((13, 1), (12, 2), (0, 1)):
        wrong = Rule(
            lambda _settings, _given, size=size: Found(((2, size),)), lambda _: 1, lambda _, n=outputs: n, False
        )
        monkeypatch.setitem(dict_of_rules(), "Flatten", wrong)
        assert len(disagreements(graphs, answers)) == 1


def dict_of_rules() -> dict[str, Rule]:
    """The registry, to be changed."""
    assert isinstance(RULES, dict)
    return RULES


def test_every_rule_has_been_asked_about(ask: Callable[..., list[Answer]]) -> None:
    """Those whose tensors are alike, and have no random cases, are MXNet's operators, and keep a shape."""
    tried = {operator(name).name for family in FAMILIES.values() for name in family if operator(name)}
    rest = sorted(set(RULES) - tried)
    graphs = []
    for name in rest:
        known = operator(name)
        assert known is not None
        assert known.name == name
        settings = {"dtype": "float32"} if name == "amp_cast" else {"scalar": 1} if "scalar" in known.attributes else {}
        count = len(known.inputs)
        required = [key for key, attribute in known.attributes.items() if attribute.required]
        assert set(required) <= set(settings), name
        graphs += [Case.of_one(name, settings, [(2, 3)] * count, 0), Case.of_one(name, settings, [(2, 3)], count)]
    answers = ask(graphs)
    assert not disagreements(graphs, answers)
    assert sum(answer.complete for answer in answers) >= len(rest)


def variable(name: str, **attributes: str) -> dict[str, Any]:
    """A variable of a symbol file."""
    return {"op": VARIABLE, "name": name, "attrs": attributes, "inputs": []}


def declared(shape: str, data: Shape | None = None, **data_attributes: str) -> Case:
    """A fully connected layer whose weight says its own shape."""
    nodes = [
        variable("data", **data_attributes),
        variable("weight", __shape__=shape),
        {
            "op": "FullyConnected",
            "name": "fc",
            "attrs": {"num_hidden": "3", "no_bias": "True"},
            "inputs": [[0, 0, 0], [1, 0, 0]],
        },
    ]
    document = {"nodes": nodes, "arg_nodes": [0, 1], "heads": [[2, 0, 0]], "attrs": MXNET}
    return Case(json.dumps(document), {} if data is None else {"data": data})


DECLARED = {
    "whole": declared("(3, 4)", (1, 4)),
    "in part": declared("(3, 0)", (1, 4)),
    "by Python 2": declared("[3L, 4L]", (1, 4)),
    "nothing": declared("()", (1, 4)),
    "None": declared("None", (1, 4)),
    "another": declared("(3, 5)", (1, 4)),
    "another in part": declared("(0, 5)", (1, 4)),
    "no shape": declared("four", (1, 4)),
    "of the data": declared("(3, 0)", None, __shape__="(2, 4)"),
    "data of another batch": declared("(3, 0)", (1, 4), __shape__="(64, 4)"),
    "data with nonsense": declared("(3, 0)", (1, 4), __shape__="four"),
}


@pytest.mark.parametrize("name", DECLARED)
def test_variables_may_say_their_shape(name: str, ask: Callable[..., list[Answer]]) -> None:
    """It is held as MXNet holds it: what the container binds goes first."""
    assert not disagreements([DECLARED[name]], ask([DECLARED[name]]))


def shared_weight() -> Builder:
    """A variable that comes first in the graph is known by a layer that comes last."""
    build = Builder()
    data, weight = build.variable("data", (1, 6)), build.variable("weight")
    early = build.layer("sum", [build.layer("square", [weight])], keepdims=True)
    late = build.layer("FullyConnected", [data, build.layer("tanh", [weight])], num_hidden=2, no_bias=True)
    build.layer("broadcast_add", [early, late])
    return build


def long_way() -> Builder:
    """Shapes go down, up and down again."""
    build = Builder()
    data = build.variable("data", (1, 6))
    for _ in range(3):
        scale = build.layer("exp", [build.layer("_mul_scalar", [build.variable(f"scale{len(build.nodes)}")], scalar=2)])
        data = build.layer("FullyConnected", [build.layer("_power", [scale, data])], 2, num_hidden=4)
    return build


@pytest.mark.parametrize("make", [shared_weight, long_way])
def test_shapes_travel_both_ways(make: Callable[[], Builder], ask: Callable[..., list[Answer]]) -> None:
    """Up through functions to variables, and from there to all that read them."""
    build = make()
    graph = build.case([len(build.nodes) - 1])
    assert not disagreements([graph], ask([graph]))
    assert ours(graph).complete


def test_what_cannot_be_known_stays_unknown() -> None:
    """The other side of a broadcast has no shape, nor has what comes of it, and that is no fault."""
    build = Builder()
    data = build.layer("broadcast_add", [build.variable("data", (1, 4)), build.variable("offset")])
    hidden = build.layer("FullyConnected", [data], 2, num_hidden=3)
    found = build.case([hidden]).inferred()
    assert found.faults == ()
    assert found.unknown == frozenset()
    assert found.shapes == {(0, 0): (1, 4)}
    assert found.outputs == dict.fromkeys(range(6), 1)


def test_operators_without_a_rule_are_named() -> None:
    """Their outputs are unknown, how many there are is too, and a reader may count on any."""
    build = Builder()
    data = build.variable("data", (1, 4))
    strange = build.layer("_linalg_svd", [data])
    build.layer("exp", [build.layer("NoSuchOperator", [strange])])
    build.nodes[-2]["inputs"][0][1] = 7
    found = build.case([len(build.nodes) - 1]).inferred()
    assert found.unknown == {"_linalg_svd", "NoSuchOperator"}
    assert found.faults == ()
    assert found.outputs == {0: 1, 3: 1}
    assert found.shapes == {(0, 0): (1, 4)}


def test_what_no_head_needs_is_left_alone() -> None:
    """MXNet drops such nodes when it loads a graph."""
    build = Builder()
    data = build.variable("data", (1, 4))
    build.layer("FullyConnected", [data], num_hidden="none")
    found = build.case([build.layer("exp", [data])]).inferred()
    assert found == inference.Inferred({(0, 0): (1, 4), (2, 0): (1, 4)}, (), {0: 1, 2: 1}, frozenset())


def one(operator: str, *shapes: Shape | None, output: int = 0, **attributes: object) -> Case:
    """One operator."""
    return Case.of_one(operator, attributes, shapes, output)


IMAGE = (1, 3, 8, 8)

WORDS = {
    "expected 'x1' of shape (3, 5), found (4, 5)": one("FullyConnected", (1, 5), (4, 5), None, num_hidden=3),
    "expected 3 inputs, found 2": one("FullyConnected", (1, 5), None, num_hidden=3),
    "expected 1 input, found 2": one("exp", (1,), (1,)),
    "expected the attribute num_hidden (int), found none": one("FullyConnected", (1, 5), None, None),
    "expected num_hidden to be int, found 'x'": one("FullyConnected", (1, 5), None, None, num_hidden="x"),
    "expected no attribute 'alpha'": one("Activation", (1,), act_type="relu", alpha=1),
    "expected the attribute num_args (int), found none": one("add_n", (1,)),
    "expected at least one input, found none": one("add_n", num_args=0),
    "expected num_hidden above 0, found 0": one("FullyConnected", (1, 5), None, None, num_hidden=0),
    "expected padded data not smaller than the window, (9, 1), found (8, 8)": one(
        "Convolution", IMAGE, None, None, kernel=(9, 1), num_filter=1
    ),
    "expected data of 4 dimensions, found (1, 3)": one("Convolution", (1, 3), None, None, kernel=(1, 1), num_filter=1),
    "expected a stride of 2 numbers, as the kernel, found (1,)": one(
        "Convolution", IMAGE, None, None, kernel=(1, 1), stride=(1,), num_filter=1
    ),
    "expected pad to be whole numbers of at least 0, found (-1, 0)": one("Pooling", IMAGE, kernel=(1, 1), pad=(-1, 0)),
    "expected shape to be whole numbers, found None": one("Reshape", IMAGE, shape="None"),
    "expected kernel to be whole numbers of at least 1, found (None, 1)": one("Pooling", IMAGE, kernel=(None, 1)),
    "expected whole numbers of both in 2 groups, found 3 channels and 4 filters": one(
        "Convolution", IMAGE, None, None, kernel=(1, 1), num_filter=4, num_group=2
    ),
    "expected layout to be None or NCHW or NHWC, found NCW": one("Pooling", IMAGE, kernel=(1, 1), layout="NCW"),
    "expected an axis of data of 2 dimensions, found 2": one("LayerNorm", (1, 3), None, None, axis=2),
    "expected shapes that can be broadcast together, found (2, 3) and (1, 4)": one("broadcast_add", (2, 3), (4,)),
    "expected 'x1' of shape (2, 3), found (2, 4)": one("elemwise_add", (2, 3), (2, 4)),
    "expected inputs that differ from (1, 3) in dimension 1 alone, found (2, 3)": one(
        "Concat", (1, 3), (2, 3), num_args=2
    ),
    "expected a dimension 1 that 2 divides, found (1, 3)": one("SliceChannel", (1, 3), num_outputs=2),
    "expected a shape of 24 elements, found (5, 4)": one("Reshape", (2, 3, 4), shape=(5, -1)),
    "expected input_dim and output_dim above 0, found (0, 1)": one("Embedding", (1,), None, input_dim=0, output_dim=1),
    "expected dimensions of one size to multiply along, of (1, 2) and (3, 4), found 2 and 3": one(
        "dot", (1, 2), (3, 4)
    ),
}


@pytest.mark.parametrize("words", [*WORDS])
def test_faults_in_words(words: str) -> None:
    """What was expected, what was found, and where."""
    document = json.loads(WORDS[words].symbol)
    [fault, *_] = WORDS[words].inferred().faults
    assert fault == f"{document['nodes'][-1]['op']} node 'node': {words}"


def test_an_output_that_is_not_there() -> None:
    """MXNet would read what lies behind in memory; heads and readers are told apart."""
    build = Builder()
    data = build.layer("BatchNorm", [build.variable("data", (1, 4))], 4)
    build.layer("exp", [data])
    build.nodes[-1]["inputs"][0][1] = 3
    graph = json.loads(build.case([data, 6]).symbol)
    graph["heads"][0][1] = 1_000
    found = Case(json.dumps(graph), build.shapes).inferred()
    name = build.nodes[5]["name"]
    assert found.faults == (
        f"exp node 'exp6': expected outputs of {name!r} below 3, found 3",
        f"head: expected outputs of {name!r} below 3, found 1,000",
    )
    assert (6, 0) not in found.shapes


def test_faults_are_few_and_short() -> None:
    """Ten of them, however many there are, and names are cut."""
    build = Builder()
    data = build.variable("data", (1, 4))
    for _ in range(50):
        build.layer("Reshape", [data], shape=(3, -1))
        build.nodes[-1]["name"] = "n" * 10_000 + str(len(build.nodes))
        build.nodes[-1]["attrs"] |= {"k" * 10_000: "v" * 10_000}
    found = build.case(range(1, 51)).inferred()
    assert len(found.faults) <= 10
    assert max(map(len, found.faults)) < 400


HUGE = 10**18

HOSTILE = {
    "data": one("exp", (1, HUGE)),
    "rank": one("exp", (1,) * 10**6),
    "no elements": one("exp", (1, 0)),
    "product": one("broadcast_add", (2**16, 1), (1, 2**15)),
    "hidden": one("FullyConnected", (1, 2**16), None, None, num_hidden=2**31 - 1),
    "concat": one("Concat", (2**30,), (2**30,), num_args=2, dim=0),
    "tile": one("tile", (1,), reps=(HUGE,) * 20),
    "tile of many": one("tile", (1,), reps=(2,) * 10**5),
    "repeat": one("repeat", (2,), repeats=2**31 - 1),
    "pad": one("Pad", (1, 1, 1, 1), mode="edge", pad_width=(0, 0, 0, 0, HUGE, HUGE, 0, 0)),
    "pad of many": one("Pad", (1, 1, 1, 1), mode="edge", pad_width=(0,) * 10**5),
    "reshape": one("Reshape", (1,), shape=(HUGE, HUGE)),
    "reshape of many": one("Reshape", (1,), shape=(HUGE,) * 10**5),
    "reshape to rest": one("Reshape", (1,) * 30, shape=(-2, *[HUGE] * 5)),
    "upsampling": one("UpSampling", (1, 1, 1, 1), scale=2**31 - 1, sample_type="nearest", num_args=1),
    "one_hot": one("one_hot", (2,), depth=2**31 - 1),
    "rnn": one("RNN", (1, 1, 1), None, None, state_size=2**32 - 1, num_layers=2**32 - 1, mode="gru"),
    "pooling": one("Pooling", IMAGE, kernel=(HUGE, HUGE)),
    "stride of many": one("Deconvolution", IMAGE, None, kernel=(1, 1), stride=(1,) * 10**5, num_filter=1),
    "deconvolution": one("Deconvolution", IMAGE, None, kernel=(1, 1), stride=(HUGE, HUGE), num_filter=1),
    "axes of many": one("sum", (1, 2), axis=(0,) * 10**5),
    "take": one("take", (2,) * 30, (2,) * 30),
    "dot": one("dot", (2,) * 20, (2,) * 20),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_number_is_too_large(name: str) -> None:
    """Each is a fault in a few words, and its shape is not kept."""
    found = HOSTILE[name].inferred()
    assert 1 <= len(found.faults) <= 2
    assert max(map(len, found.faults)) < 500
    document = json.loads(HOSTILE[name].symbol)
    assert (len(document["nodes"]) - 1, 0) not in found.shapes


def test_the_largest_tensor() -> None:
    """One element fewer than MXNet can count is no fault."""
    assert ours(one("exp", (1, 2**31 - 1))).complete
    assert inference.infer({0: Node("x", VARIABLE, {}, ())}, [(0, 0)], {"x": (2, 2**30)}).faults == (
        "variable 'x': expected 'x' of at most 2,147,483,647 elements, found shape (2, 1073741824)",
    )


def test_billions_of_outputs_cost_nothing() -> None:
    """Of outputs that nobody reads only the first has a shape."""
    count = 2**31 - 1
    graph = one("SliceChannel", (1, count), output=count - 1, num_outputs=count)
    found = graph.inferred()
    assert found.faults == ()
    assert found.outputs[1] == count
    assert found.shapes == {(0, 0): (1, count), (1, 0): (1, 1), (1, count - 1): (1, 1)}


def test_long_graphs_take_their_time_once() -> None:
    """A chain of 3,000 nodes, one reader of as many outputs, and shapes that travel all the way up."""
    build = Builder()
    first = last = build.variable("first")
    for _ in range(3_000):
        last = build.layer("exp", [last])
    data = build.variable("data", (2, 3))
    total = build.layer("add_n", [data, *range(1, last + 1)], num_args=last + 1)
    found = build.case([total]).inferred()
    assert found.faults == ()
    assert found.shapes[first, 0] == found.shapes[total, 0] == (2, 3)


def test_graphs_that_send_shapes_to_and_fro_are_given_up() -> None:
    """What eight sweeps do not find is unknown and no fault, as there might be as many sweeps as nodes."""
    build = Builder()
    links = 40
    chain = [build.variable("data", (1, 2)), *(build.variable(f"x{number}") for number in range(links))]
    order = [2 * place if 2 * place < links else 2 * (links - place) - 1 for place in range(links)]
    assert sorted(order) == list(range(links))
    sums = [build.layer("elemwise_add", chain[link : link + 2]) for link in order]
    found = build.case(sums).inferred()
    assert found.faults == ()
    known = [(variable, 0) in found.shapes for variable in chain]
    assert known == sorted(known, reverse=True)
    assert 8 <= sum(known) < links


TEXTS = st.sampled_from(["1", "0", "-1", "()", "(1, 2)", "(None, 3)", "None", "True", f"({HUGE}, -{HUGE})"]) | st.text()


@st.composite
def anything(draw: st.DrawFn) -> Case:
    """Any operators with any attributes, reading anything before them."""
    nodes: list[dict[str, Any]] = [variable("data")]
    for number in range(draw(st.integers(1, 4))):
        known = operator(draw(st.sampled_from(sorted(RULES))))
        assert known is not None
        keys = [*known.attributes, *([known.variadic] if known.variadic else [])]
        attributes = {key: draw(TEXTS) for key in keys if draw(st.booleans())}
        count = draw(st.sampled_from([len(known.inputs)] * 3 + [0, 1, 6]))
        edges = st.tuples(st.integers(0, number), st.sampled_from([0, 0, 0, 1, 2**31]), st.just(0))
        inputs = [draw(edges) for _ in range(count)]
        nodes.append({"op": known.name, "name": f"n{number}", "attrs": attributes, "inputs": inputs})
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, HUGE]), max_size=6).map(tuple))
    return Case(json.dumps({"nodes": nodes, "heads": [[len(nodes) - 1, 0, 0]]}), {"data": shape} if shape else {})


def test_nothing_raises() -> None:
    """Whatever the attributes and shapes are, the answer is an answer, and every shape in it is one."""
    for case in drawn(anything(), 100):
        found = case.inferred()
        assert all(shape and min(shape) > 0 for shape in found.shapes.values())
        assert len(found.faults) <= 10


def test_inputs_that_are_not_in_the_graph() -> None:
    """They are nothing that can be known; the graph's own reader says what is wrong with it."""
    nodes = {3: Node("n", "exp", {}, ((1, 0),))}
    assert infer(nodes, [(3, 0), (9, 0)], {"data": (1,)}).shapes == {}
