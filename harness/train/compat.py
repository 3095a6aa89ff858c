"""The one place that imports MXNet, which is retired and needs a little help on a current Python."""

from __future__ import annotations

import functools
import os
import warnings
from typing import Any

import numpy as np

from harness.errors import TrainingError
from harness.train import cuda_libraries


@functools.cache
def mxnet() -> Any:
    """The module ``mxnet``.

    MXNet 1.9.1 reads ``numpy.bool`` while it is imported, which numpy 1.24 removed: it is lent the name meanwhile. A
    GPU build gets CUDA's libraries beforehand (`cuda_libraries.preload`).

    Raises:
        TrainingError: MXNet is not installed, or its library or one that it needs cannot be loaded.
        DeviceError: a GPU build, and no driver.
    """
    # Without this every bound executor prints a line about oneDNN to standard error.
    os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
    # MXNet's idle threads wait in a loop unless told to sleep, and take the processor from XLA in the same process.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    cuda_libraries.preload()
    lent = "bool" not in vars(np)
    if lent:
        vars(np)["bool"] = bool
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # distutils and invalid escapes: an archived project's, for nobody to mend
            import mxnet as module
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: the package without its library
        raise TrainingError(
            f"engine mxnet: expected the package mxnet 1.9.1, found none that can be imported ({error}); "
            f"install it with: pip install 'byom-harness[mxnet]'"
        ) from error
    finally:
        if lent:
            del vars(np)["bool"]
    return module
