"""Layers that normalize, and those that drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, axis_of, expect, numbers

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

NORMALIZATION = Family()


@NORMALIZATION.add("BatchNorm", "BatchNorm_v1", "_contrib_SyncBatchNorm", inputs=5, outputs=3)
def _batch_norm(settings: Settings, given: Given) -> Found:
    data = given[0]
    if data is None:
        return NOTHING
    channels = (data[axis_of(settings.get("axis", 1), data)],)
    return Found((data, channels), dict.fromkeys(range(1, 5), channels))


@NORMALIZATION.add("_contrib_BatchNormWithReLU", inputs=5, outputs=4)
def _batch_norm_with_relu(settings: Settings, given: Given) -> Found:
    """The fourth output is the mask."""
    outputs, inputs = _batch_norm(settings, given)
    return Found((*outputs, *outputs[1:], *outputs[:1]), inputs)


@NORMALIZATION.add("LayerNorm", inputs=3, outputs=3)
def _layer_norm(settings: Settings, given: Given) -> Found:
    data = given[0]
    if data is None:
        return NOTHING
    axis = axis_of(settings["axis"], data)
    channels, statistics = (data[axis],), (*data[:axis], 1, *data[axis + 1 :])
    return Found((data, statistics), {1: channels, 2: channels})


@NORMALIZATION.add("GroupNorm", inputs=3, outputs=3)
def _group_norm(settings: Settings, given: Given) -> Found:
    data, groups = given[0], settings["num_groups"]
    if data is None:
        return NOTHING
    expect(len(data) > 2, "data of at least 3 dimensions", data)  # noqa: PLR2004 - batch, channels, and more
    expect(groups > 0 and not data[1] % groups, f"channels that num_groups={groups} divides", data[1])
    return Found((data, (data[0], groups)), {1: (groups,), 2: (groups,)})


@NORMALIZATION.add("InstanceNorm", inputs=3, outputs=3)
def _instance_norm(settings: Settings, given: Given) -> Found:
    del settings
    data = given[0]
    if data is None:
        return NOTHING
    expect(len(data) > 1, "data of at least 2 dimensions", data)
    return Found((data, data[:2]), {1: data[1:2], 2: data[1:2]})


@NORMALIZATION.add("L2Normalization", outputs=2)
def _l2_normalization(settings: Settings, given: Given) -> Found:
    [data] = given
    if data is None:
        return NOTHING
    norms: Shape = data[:1]
    if settings["mode"] != "instance":
        expect(len(data) > 2, "data of at least 3 dimensions", data)  # noqa: PLR2004 - batch, channels, and more
        norms = data[:2] if settings["mode"] == "spatial" else (data[0], 1, *data[2:])
    return Found((data, norms))


@NORMALIZATION.add("LRN", outputs=2)
def _lrn(settings: Settings, given: Given) -> Found:
    del settings
    [data] = given
    if data is None:
        return NOTHING
    expect(len(data) == 4, "data of 4 dimensions", data)  # noqa: PLR2004 - batch, channels, height, width
    return Found((data,))


@NORMALIZATION.add("Dropout", outputs=2)
def _dropout(settings: Settings, given: Given) -> Found:
    """The second output is the mask."""
    [data], axes = given, numbers(settings, "axes")
    if data is None:
        return NOTHING
    expect(all(0 <= axis < len(data) for axis in axes), f"axes of data of {len(data)} dimensions", axes)
    return Found((data, tuple(1 if axis in axes else size for axis, size in enumerate(data))))


@NORMALIZATION.add("softmax", inputs=lambda settings: 2 if settings["use_length"] else 1)
def _softmax(settings: Settings, given: Given) -> Found:
    data = given[0]
    if data is None:
        return NOTHING
    axis = axis_of(settings["axis"], data)
    counted = settings["axis"] >= -1 or not settings["use_length"]  # MXNet 1.9.1 gets no other axis right
    expect(counted, "an axis of -1 or above where lengths are used", settings["axis"])
    lengths = (*data[:axis], *data[axis + 1 :]) or (1,)
    return Found((data,), {1: lengths} if settings["use_length"] else {})


@NORMALIZATION.add("log_softmax", "softmin", alike=True)
def _log_softmax(settings: Settings, given: Given) -> Found:
    """Neither takes lengths, whatever use_length says."""
    [data] = given
    if data is not None:
        axis_of(settings["axis"], data)
    return NOTHING
