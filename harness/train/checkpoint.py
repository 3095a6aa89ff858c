"""Checkpoints on disk, as ``Module.save_checkpoint`` writes them and the container's handlers read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness import artifact
from harness.errors import TrainingError
from harness.train import compat

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.result import Checkpoint

_BATCH = 1000


def save(checkpoint: Checkpoint, directory: Path) -> None:
    """Write the three model files into an existing directory."""
    mx = compat.mxnet()
    named = {f"arg:{name}": value for name, value in checkpoint.parameters.items()}
    named |= {f"aux:{name}": value for name, value in checkpoint.auxiliary.items()}
    (directory / artifact.SYMBOL).write_text(checkpoint.symbol_json, encoding="utf-8")
    mx.nd.save(
        str(directory / artifact.PARAMETERS),
        {name: mx.nd.array(value, dtype=value.dtype) for name, value in named.items()},
    )
    signature = artifact.shapes_signature(checkpoint.data_shapes)
    (directory / artifact.SHAPES).write_text(json.dumps(signature), encoding="utf-8")


def predict(directory: Path, data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Float32 (n, classes): what MXNet predicts for ``data`` from the files in ``directory``, on the CPU.

    The model is loaded as the container's default ``model_fn`` does it, from nothing but the three files.

    Raises:
        TrainingError: MXNet cannot load them, or they do not take these data.
    """
    mx = compat.mxnet()
    count = len(data)
    batch = min(_BATCH, count)
    try:
        module = _load(mx, directory, (batch, *data.shape[1:]))
        iterator = mx.io.NDArrayIter(data, batch_size=batch)
        result: NDArray[np.float32] = module.predict(iterator).asnumpy()
    except (mx.base.MXNetError, OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"checkpoint in {directory}: MXNet cannot predict from it: {type(error).__name__}: {error}"
        ) from error
    return result


def _load(mx: Any, directory: Path, shape: tuple[int, ...]) -> Any:
    symbol, parameters, auxiliary = mx.model.load_checkpoint(str(directory / artifact.PREFIX), artifact.EPOCH)
    [entry] = json.loads((directory / artifact.SHAPES).read_text(encoding="utf-8"))
    module = mx.mod.Module(symbol, data_names=[entry["name"]], label_names=None, context=mx.cpu())
    module.bind([(entry["name"], shape)], for_training=False)
    module.set_params(parameters, auxiliary, allow_missing=True)
    return module
