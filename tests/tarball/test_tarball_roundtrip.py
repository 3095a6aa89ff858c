"""Whatever the model: exported, it is valid, predicts to the bit what it did before, and is exported the same again.

50 models; 500 with ``pytest tests/tarball/test_tarball_roundtrip.py --hypothesis-profile=long``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from random_models import checkpoints

from harness.artifact import PREFIX, SHAPES
from harness.result import Checkpoint
from harness.tarball.export import pack
from harness.tarball.extract import extract
from harness.tarball.loading import Loader
from harness.tarball.verify import verify
from harness.train import checkpoint as checkpoints_on_disk
from harness.train.compat import mxnet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
SCRIPT = b"def input_fn(request, content_type):\n    return request\n"
LONG = settings.get_current_profile_name() == "long"
EXAMPLES = 3


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    """AWS's handler, for all models."""
    with Loader() as running:
        yield running


def predicted(symbol: Any, parameters: Any, states: Any, shapes: Mapping[str, tuple[int, ...]]) -> list[np.ndarray]:
    """What a graph with these parameters answers for three examples of noise."""
    mx = mxnet()
    bound = [(name, (EXAMPLES, *shape[1:])) for name, shape in shapes.items()]
    module = mx.mod.Module(symbol, data_names=list(shapes), label_names=None, context=mx.cpu())
    module.bind(bound, for_training=False)
    module.set_params(parameters, states, allow_missing=True)
    draw = np.random.default_rng(0)
    module.forward(mx.io.DataBatch([mx.nd.array(draw.random(shape)) for _, shape in bound]), is_train=False)
    return [output.asnumpy() for output in module.get_outputs()]


def before(model: Checkpoint) -> list[np.ndarray]:
    """Of a model that never was on disk."""
    mx = mxnet()
    given = [
        {name: mx.nd.array(value, dtype=value.dtype) for name, value in arrays.items()}
        for arrays in (model.parameters, model.auxiliary)
    ]
    return predicted(mx.sym.load_json(model.symbol_json), *given, dict(model.data_shapes))


def after(folder: Path) -> list[np.ndarray]:
    """Of what was unpacked."""
    loaded = mxnet().model.load_checkpoint(str(folder / PREFIX), 0)
    shapes = {entry["name"]: tuple(entry["shape"]) for entry in json.loads((folder / SHAPES).read_text())}
    return predicted(*loaded, shapes)


@settings(max_examples=500 if LONG else 50, deadline=None, derandomize=not LONG)
@given(model=checkpoints())
def test_a_model_survives_its_export(loader: Loader, model: Checkpoint) -> None:
    """Valid, by its text and for AWS's handler; equal predictions, to the bit; a second tarball equal to the first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        (folder / "entry.py").write_bytes(SCRIPT)
        checkpoints_on_disk.save(model, folder / "model")
        first = pack(folder / "model", folder / "first.tar.gz", entry_point=folder / "entry.py")
        assert verify(first.path, loader=loader) == []
        extract(first.path, folder / "served")
        for old, new in zip(before(model), after(folder / "served"), strict=True):
            np.testing.assert_array_equal(old, new)
            assert np.isfinite(new).all()
        script = (folder / "served" / "code" / "entry.py").rename(folder / "entry.py")
        (folder / "served" / "code").rmdir()
        assert pack(folder / "served", folder / "second.tar.gz", entry_point=script).sha256 == first.sha256


def test_other_weights_would_be_seen() -> None:
    """Control: weights that differ in the last bit give other predictions."""
    shapes, weight = (("data", (1, 3)),), np.full((2, 3), 0.3, np.float32)
    mx = mxnet()
    symbol = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True, name="fc").tojson()
    one, other = (
        before(Checkpoint(symbol_json=symbol, parameters={"fc_weight": value}, auxiliary={}, data_shapes=shapes))
        for value in (weight, np.nextafter(weight, np.float32(1)))
    )
    assert not np.array_equal(one, other)
