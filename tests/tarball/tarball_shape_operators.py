"""Random operators: most fit together, as their inputs are drawn alike; a good part does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from tarball_shape_cases import Case

from harness.tarball.operators import operator
from harness.tarball.shapes.registry import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from harness.artifact import Shape

SIZES = st.sampled_from([1, 1, 2, 2, 3, 4, 6])
SHAPES = st.lists(SIZES, min_size=1, max_size=5).map(tuple)
FLAGS = st.booleans()
AXES = st.integers(-5, 4)
OPTIONAL_AXES = st.none() | AXES
COUNTS = st.integers(-1, 4)


def tuples(numbers: SearchStrategy[Any], most: int = 4) -> SearchStrategy[tuple[Any, ...]]:
    """A tuple of up to so many numbers."""
    return st.lists(numbers, max_size=most).map(tuple)


def images(dimensions: int) -> SearchStrategy[Shape]:
    """Batch, channels, and more dimensions, large enough for a window."""
    return st.tuples(SIZES, st.sampled_from([1, 2, 4, 6]), *[st.integers(3, 9)] * dimensions)


@st.composite
def varied(draw: st.DrawFn, shape: Shape) -> Shape | None:
    """A shape like another: the same, unknown, or changed in one or another way."""
    kind = draw(st.sampled_from(["same"] * 5 + ["unknown"] * 2 + ["size", "ones", "front", "fresh"]))
    if kind == "unknown":
        return None
    if kind == "fresh":
        return draw(SHAPES)
    if kind == "front":
        return shape[draw(st.integers(0, len(shape) - 1)) :]
    if kind == "ones":
        return tuple(1 if draw(FLAGS) else size for size in shape)
    if kind == "size":
        axis = draw(st.integers(0, len(shape) - 1))
        return (*shape[:axis], draw(SIZES), *shape[axis + 1 :])
    return shape


def fitting(name: str, attributes: Mapping[str, Any], otherwise: tuple[int, int]) -> tuple[int, int]:
    """How many inputs an operator takes with these attributes, and how many outputs it has."""
    known = operator(name)
    assert known is not None
    texts = {key: str(value) for key, value in attributes.items() if key != known.variadic or key in known.attributes}
    settings, faults = known.settings(texts)
    if faults:
        return otherwise
    rule = RULES[known.name]
    count, outputs = rule.inputs(settings), rule.outputs(settings)
    return otherwise[0] if count is None else max(count, 0), max(outputs or 1, 1)


@st.composite
def operators(
    draw: st.DrawFn,
    name: str,
    inputs: int | tuple[int, ...] = 1,
    *,
    shapes: SearchStrategy[Shape] = SHAPES,
    known: int = 9,
    required: Sequence[str] = (),
    outputs: int = 1,
    **attributes: SearchStrategy[Any],
) -> Case:
    """An operator: some of its attributes given, inputs with shapes like the first's, most of them unknown."""
    count = draw(st.sampled_from([inputs] if isinstance(inputs, int) else inputs))
    given = {key: draw(values) for key, values in attributes.items() if key in required or draw(FLAGS)}
    if "num_args" in attributes:
        given["num_args"] = count
    count, outputs = fitting(name, given, (count, outputs))
    if not draw(st.integers(0, 19)):
        count, outputs = max(0, count + draw(st.sampled_from([-1, 1]))), outputs + 1
    first = draw(shapes)
    if count < 1:
        return Case.of_one(name, given, [], draw(st.integers(0, outputs - 1)))
    if not draw(st.integers(0, 9)):
        known = count
    rest = [draw(varied(first)) if number < known else None for number in range(1, count)]
    return Case.of_one(name, given, [first, *rest][:count], draw(st.integers(0, outputs - 1)))


@st.composite
def windows(draw: st.DrawFn, name: str, inputs: tuple[int, ...], **attributes: SearchStrategy[Any]) -> Case:
    """An operator with a window of one to three dimensions."""
    dimensions = draw(st.integers(1, 3))

    def measure(least: int, most: int) -> SearchStrategy[Any]:
        odd = not draw(st.integers(0, 19))
        return tuples(st.integers(0, 3), 3) if odd else st.tuples(*[st.integers(least, most)] * dimensions)

    layouts = {1: ["NCW", "NWC"], 2: ["NCHW", "NHWC"], 3: ["NCDHW", "NDHWC"]}[dimensions]
    attributes |= {"kernel": measure(1, 3), "stride": measure(1, 3), "pad": measure(0, 2)}
    if name not in ("Pooling", "Pooling_v1"):
        attributes |= {"dilate": measure(1, 2)}
    if name == "Deconvolution":
        attributes |= {"adj": measure(0, 1), "target_shape": measure(0, 9)}
    if name != "Pooling_v1":
        attributes |= {"layout": st.sampled_from(["None", *layouts])}
    return draw(
        operators(
            name,
            inputs,
            known=0,
            required=("kernel", "num_filter"),
            shapes=st.integers(0, 9).flatmap(lambda odd: images(dimensions) if odd else SHAPES),
            **attributes,
        )
    )


FILTERS = {
    "num_filter": st.sampled_from([0, 1, 2, 4, 6]),
    "num_group": st.sampled_from([1, 1, 1, 2, 3]),
    "no_bias": FLAGS,
}
REDUCTION = {"axis": st.none() | AXES | tuples(AXES, 3), "keepdims": FLAGS, "exclude": FLAGS}
RESHAPE = tuples(st.sampled_from([0, 0, -1, -2, -3, -4, -4, 1, 2, 3, 4, 6, -5]), 5)
OPEN = st.none() | st.integers(-7, 7)

LAYERS: Mapping[str, SearchStrategy[Case]] = {
    "FullyConnected": operators(
        "FullyConnected",
        (2, 3),
        required=("num_hidden",),
        known=1,
        num_hidden=st.integers(-1, 4),
        no_bias=FLAGS,
        flatten=FLAGS,
    ),
    "Convolution": windows("Convolution", (2, 3), **FILTERS),
    "Deconvolution": windows("Deconvolution", (2, 3), **FILTERS),
    "Pooling": windows(
        "Pooling",
        (1,),
        pool_type=st.sampled_from(["max", "avg", "sum", "lp"]),
        pooling_convention=st.sampled_from(["valid", "full", "same"]),
        global_pool=FLAGS,
        p_value=st.sampled_from([1, 2]),
    ),
    "Pooling_v1": windows(
        "Pooling_v1",
        (1,),
        pool_type=st.sampled_from(["max", "avg", "sum"]),
        pooling_convention=st.sampled_from(["valid", "full"]),
        global_pool=FLAGS,
    ),
    "Embedding": operators(
        "Embedding", 2, required=("input_dim", "output_dim"), known=1, input_dim=COUNTS, output_dim=COUNTS
    ),
    "_contrib_SparseEmbedding": operators(
        "_contrib_SparseEmbedding",
        2,
        required=("input_dim", "output_dim"),
        known=1,
        input_dim=COUNTS,
        output_dim=COUNTS,
    ),
    "LeakyReLU": operators("LeakyReLU", (1, 2), act_type=st.sampled_from(["leaky", "elu", "prelu", "rrelu"])),
    "RNN": operators(
        "RNN",
        (3, 4, 5),
        required=("state_size", "num_layers", "mode"),
        known=1,
        outputs=3,
        shapes=st.tuples(SIZES, SIZES, SIZES) | SHAPES,
        state_size=COUNTS,
        num_layers=st.integers(0, 3),
        bidirectional=FLAGS,
        mode=st.sampled_from(["lstm", "gru", "rnn_relu", "rnn_tanh"]),
        state_outputs=FLAGS,
        use_sequence_length=FLAGS,
        projection_size=st.none() | COUNTS,
    ),
}
NORMALIZING: Mapping[str, SearchStrategy[Case]] = {
    "BatchNorm": operators("BatchNorm", 5, known=1, outputs=4, axis=AXES),
    "BatchNorm_v1": operators("BatchNorm_v1", 5, known=1, outputs=3),
    "_contrib_SyncBatchNorm": operators(
        "_contrib_SyncBatchNorm", 5, required=("key",), known=1, outputs=3, key=st.just("k")
    ),
    "_contrib_BatchNormWithReLU": operators("_contrib_BatchNormWithReLU", 5, known=1, outputs=4, axis=AXES),
    "LayerNorm": operators("LayerNorm", 3, known=1, outputs=3, axis=AXES),
    "GroupNorm": operators("GroupNorm", 3, known=1, outputs=3, num_groups=st.integers(-1, 4)),
    "InstanceNorm": operators("InstanceNorm", 3, known=1, outputs=3),
    "L2Normalization": operators(
        "L2Normalization", outputs=2, mode=st.sampled_from(["instance", "channel", "spatial"])
    ),
    "LRN": operators("LRN", required=("nsize",), outputs=2, nsize=st.integers(1, 5)),
    "Dropout": operators("Dropout", outputs=2, axes=tuples(AXES, 2)),
    "softmax": operators("softmax", (1, 2), axis=AXES, use_length=FLAGS),
    "log_softmax": operators("log_softmax", axis=AXES, use_length=FLAGS),
    "softmin": operators("softmin", axis=AXES, use_length=FLAGS),
}
LOSSES: Mapping[str, SearchStrategy[Case]] = {
    "SoftmaxOutput": operators("SoftmaxOutput", 2, multi_output=FLAGS, preserve_shape=FLAGS),
    "Softmax": operators("Softmax", 2, multi_output=FLAGS),
    **{name: operators(name, 2) for name in ("LinearRegressionOutput", "LogisticRegressionOutput", "SVMOutput")},
    "MAERegressionOutput": operators("MAERegressionOutput", 2, shapes=st.tuples(SIZES) | st.tuples(SIZES, st.just(1))),
    "MakeLoss": operators("MakeLoss"),
}
MOVING: Mapping[str, SearchStrategy[Case]] = {
    "Flatten": operators("Flatten"),
    "Reshape": operators(
        "Reshape", shape=RESHAPE, reverse=FLAGS, target_shape=tuples(st.integers(0, 4), 3), keep_highest=FLAGS
    ),
    "expand_dims": operators("expand_dims", required=("axis",), axis=AXES),
    "squeeze": operators(
        "squeeze", axis=st.none() | AXES | tuples(AXES, 2), shapes=tuples(st.sampled_from([1, 1, 2])).filter(bool)
    ),
    "transpose": operators(
        "transpose", axes=st.permutations(range(3)).map(tuple) | tuples(AXES, 3), shapes=st.tuples(SIZES, SIZES, SIZES)
    ),
    "SwapAxis": operators("SwapAxis", dim1=AXES, dim2=AXES),
    "slice": operators(
        "slice",
        required=("begin", "end"),
        begin=tuples(OPEN, 2),
        end=tuples(OPEN, 2),
        step=tuples(st.none() | st.integers(-2, 3), 2),
    ),
    "slice_axis": operators(
        "slice_axis", required=("axis", "begin", "end"), axis=AXES, begin=st.integers(-4, 4), end=OPEN
    ),
    "slice_like": operators("slice_like", 2, axes=tuples(AXES, 2)),
    "SliceChannel": operators(
        "SliceChannel",
        required=("num_outputs",),
        outputs=3,
        num_outputs=st.integers(0, 4),
        axis=AXES,
        squeeze_axis=FLAGS,
    ),
    "Concat": operators("Concat", (1, 2, 3), num_args=st.just(0), dim=AXES),
    "stack": operators("stack", (1, 2, 3), num_args=st.just(0), axis=AXES),
    "tile": operators("tile", required=("reps",), reps=tuples(st.integers(0, 3), 5)),
    **{
        name: operators(name, 1, required=("shape",), shape=tuples(st.integers(0, 3)), value=st.just(1))
        for name in ("_full",)
    },
    **{name: operators(name, 1, shape=tuples(st.integers(-1, 3))) for name in ("_zeros", "_ones")},
    "repeat": operators("repeat", required=("repeats",), repeats=COUNTS, axis=OPTIONAL_AXES),
    "reverse": operators("reverse", required=("axis",), axis=tuples(AXES, 2)),
    "Pad": operators(
        "Pad",
        required=("mode", "pad_width"),
        mode=st.sampled_from(["constant", "edge", "reflect"]),
        pad_width=tuples(st.integers(0, 2), 6).map(lambda more: (0, 0, 0, 0, *more)) | tuples(st.integers(-1, 1), 10),
        shapes=images(2) | images(3) | SHAPES,
    ),
    "UpSampling": operators(
        "UpSampling",
        (1, 2),
        required=("scale", "sample_type"),
        num_args=st.just(0),
        scale=st.integers(0, 3),
        sample_type=st.sampled_from(["nearest", "nearest", "bilinear"]),
        multi_input_mode=st.sampled_from(["sum", "concat"]),
        shapes=images(2) | SHAPES,
    ),
}
REDUCING: Mapping[str, SearchStrategy[Case]] = {
    **{name: operators(name, **REDUCTION) for name in ("sum", "mean", "max", "min", "prod", "nansum", "nanprod")},
    "norm": operators("norm", axis=REDUCTION["axis"], keepdims=FLAGS, ord=st.sampled_from([1, 2, 2, 3])),
    **{name: operators(name, axis=OPTIONAL_AXES, keepdims=FLAGS) for name in ("argmax", "argmin")},
    "argmax_channel": operators("argmax_channel"),
    "pick": operators("pick", 2, axis=OPTIONAL_AXES, keepdims=FLAGS),
    "broadcast_axis": operators("broadcast_axis", axis=AXES | tuples(AXES, 2), size=COUNTS | tuples(COUNTS, 2)),
    "broadcast_to": operators("broadcast_to", shape=tuples(st.integers(-1, 4))),
    "broadcast_like": operators(
        "broadcast_like", 2, lhs_axes=st.none() | tuples(AXES, 2), rhs_axes=st.none() | tuples(AXES, 2)
    ),
    "dot": operators("dot", 2, transpose_a=FLAGS, transpose_b=FLAGS, shapes=tuples(st.integers(1, 2), 3).filter(bool)),
    "batch_dot": operators(
        "batch_dot", 2, transpose_a=FLAGS, transpose_b=FLAGS, shapes=st.tuples(*[st.integers(1, 2)] * 3) | SHAPES
    ),
    "one_hot": operators("one_hot", required=("depth",), depth=COUNTS),
    "take": operators("take", 2, axis=AXES, mode=st.sampled_from(["clip", "wrap", "raise"])),
    "where": operators("where", 3),
}

ELEMENTWISE: Mapping[str, SearchStrategy[Case]] = {
    **{name: operators(name, 2) for name in ("elemwise_add", "_Mul", "_maximum", "_equal", "_grad_add", "_hypot")},
    **{name: operators(name, 2) for name in ("broadcast_add", "broadcast_mul", "broadcast_greater", "broadcast_hypot")},
    **{
        name: operators(name) for name in ("exp", "identity", "BlockGrad", "relu", "gammaln", "zeros_like", "smooth_l1")
    },
    **{name: operators(name, scalar=st.just(2)) for name in ("_plus_scalar", "_RDivScalar", "_logical_and_scalar")},
    "add_n": operators("add_n", (1, 2, 3), num_args=st.just(0)),
    "Activation": operators("Activation", required=("act_type",), act_type=st.sampled_from(["relu", "tanh", "none"])),
    "clip": operators("clip", required=("a_min",), a_min=st.just(0), a_max=st.just(1)),
    "Cast": operators("Cast", required=("dtype",), dtype=st.sampled_from(["float16", "int32", "text"])),
    "SoftmaxActivation": operators("SoftmaxActivation"),
    "hard_sigmoid": operators("hard_sigmoid"),
}
