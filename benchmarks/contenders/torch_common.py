"""What both PyTorch contenders need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.contenders import Course, UnavailableError
from benchmarks.workload import flat

try:
    import torch
except (ImportError, OSError) as error:
    raise UnavailableError(f"needs torch, found none that can be imported ({error}); make bench installs it") from error

if TYPE_CHECKING:
    from harness.train.arrays import Arrays

__all__ = ["data_on", "device_for", "torch"]


def device_for(course: Course) -> Any:
    """PyTorch's name for the device."""
    if course.device == "gpu" and not torch.cuda.is_available():
        raise UnavailableError("needs a GPU that PyTorch can use, found none; install a torch that was built for CUDA")
    return torch.device("cuda" if course.device == "gpu" else "cpu")


def data_on(device: Any, arrays: Arrays) -> list[Any]:
    """Float32 images and int64 labels, for training and for testing."""
    return [
        torch.from_numpy(array).to(device)
        for images, labels in ((arrays.train_data, arrays.train_label), (arrays.test_data, arrays.test_label))
        for array in (flat(images), labels.astype(np.int64))
    ]
