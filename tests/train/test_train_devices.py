"""Devices: what the driver reports, and GPUs that MXNet could not use are refused beforehand."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness.errors import DeviceError
from harness.train.devices import Gpu, check_gpus, visible_gpus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.experiment import Trial

A100, L40, H100, K80 = Gpu("A100", (8, 0)), Gpu("L40", (8, 9)), Gpu("H100", (9, 0)), Gpu("K80", (3, 7))

DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, device ? "L40" : "H100", length); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? (device ? 8 : 9) : (device ? 9 : 0);
    return 0;
}
"""


@pytest.mark.parametrize("gpu", [A100, L40])
def test_gpus_with_machine_code_are_accepted(gpu: Gpu) -> None:
    """Compute capability 8.0 runs MXNet's code, and 8.9 runs that for 8.6."""
    check_gpus(1, [gpu], built_with_cuda=True)


@pytest.mark.parametrize("gpu", [H100, K80])
def test_gpus_without_machine_code_are_refused(gpu: Gpu) -> None:
    """Hopper and Kepler are refused with their name and capability: MXNet's wheels have no PTX."""
    with pytest.raises(DeviceError, match=rf"compute capability 5.0 to 8.9, found {gpu.name} \(compute capability"):
        check_gpus(1, [gpu], built_with_cuda=True)


def test_too_few_gpus_are_refused() -> None:
    """Asking for two where there is one says what was found and how to train all the same."""
    with pytest.raises(DeviceError, match=r"num_gpus=2: expected 2 GPU\(s\), found A100 .*set num_gpus=0"):
        check_gpus(2, [A100], built_with_cuda=True)


def test_a_cpu_build_is_named() -> None:
    """A GPU that MXNet's CPU wheel cannot reach is an error that names the wheel to install."""
    with pytest.raises(DeviceError, match=r"CPU build.*mxnet-gpu"):
        check_gpus(1, [A100], built_with_cuda=False)


def test_no_driver_means_no_gpu() -> None:
    """Where the driver's library is missing there are no GPUs, and that is not an error."""
    assert visible_gpus("libdoes-not-exist.so.1") == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler, cc, to stand in for the driver")
@pytest.mark.parametrize(("init", "expected"), [(0, [H100, L40]), (100, [])])
def test_the_driver_is_asked(tmp_path: Path, init: int, expected: list[Gpu]) -> None:
    """Names and capabilities come through the driver's C interface; one that finds no device (100) means none."""
    source, library = tmp_path / "cuda.c", tmp_path / "libcuda.so.1"
    source.write_text(DRIVER.replace("INIT", str(init)))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)  # noqa: S607 - found on the PATH above
    assert visible_gpus(str(library)) == expected


def test_training_on_a_missing_gpu_fails_before_it_starts(make_trial: Callable[..., Trial]) -> None:
    """num_gpus=1 on a machine without one is an error of the trial, not a crash in MXNet."""
    from harness.train.trainer import Trainer

    if visible_gpus():
        pytest.skip("needs a machine without NVIDIA's driver")
    with pytest.raises(DeviceError, match="num_gpus=1: expected 1"):
        Trainer().train(make_trial(num_gpus=1))
