"""What computes, in names: the processor, the environment, the GPUs, and the moment when a process began."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from harness.train import processor
from harness.train.processor import NUMERIC, instruction_set, machine, model, process_start

if TYPE_CHECKING:
    from pathlib import Path

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 207
model name\t: Some Processor
cpu MHz\t\t: 2299.998
cache size\t: 1024 KB
flags\t\t: fpu avx2

processor\t: 1
vendor_id\t: Another
flags\t\t: fpu avx2 avx512f
"""

VARIABLES = {
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "MXNET_EXEC_BULK_EXEC_TRAIN": "0",
    "MXNET_SAFE_ACCUMULATION": "1",
    "OMP_NUM_THREADS": "3",
    "MKL_NUM_THREADS": "3",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_NUM_THREADS": "3",
    "OPENBLAS_CORETYPE": "Haswell",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "KMP_AFFINITY": "scatter",
    "GOMP_CPU_AFFINITY": "0",
    "NPY_DISABLE_CPU_FEATURES": "AVX2",
    "CUDA_VISIBLE_DEVICES": "1",
    "NVIDIA_TF32_OVERRIDE": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "CUDNN_DETERMINISTIC": "1",
    "NCCL_ALGO": "Ring",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "TF_CUDNN_DETERMINISTIC": "1",
    "LD_PRELOAD": "libmkl_rt.so",
    "LD_LIBRARY_PATH": "/opt/cuda",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2",
}
"""Variables that decide how sums are rounded, and a value of each."""


def written(folder: Path, text: str, name: str = "cpuinfo") -> Path:
    """A file with this text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_changes_rounding_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set, changed or not there at all: three machines."""
    monkeypatch.delenv(name, raising=False)
    found = [machine()]
    for value in (VARIABLES[name], VARIABLES[name] + "0"):
        monkeypatch.setenv(name, value)
        found.append(machine())
    assert found[0] != found[1] != found[2] != found[0]
    monkeypatch.delenv(name)
    assert machine() == found[0]


def test_every_beginning_is_tried() -> None:
    """The variables above leave no entry of the list out, but for two libraries that read theirs as the others do."""
    untried = [start for start in NUMERIC if not any(name.startswith(start) for name in VARIABLES)]
    assert untried == ["BLIS_", "GOTO_"]


@pytest.mark.parametrize("name", ["HOME", "PYTEST_XDIST_WORKER", "TF_CPP_MIN_LOG_LEVEL", "BYOM_CACHE_DIR", "MY_OMP_X"])
def test_any_other_variable_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: who is at home here, or where the cache lies, decides nothing."""
    before = machine()
    monkeypatch.setenv(name, "another")
    assert machine() == before


def test_the_order_of_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two shells that set the same variables in another order are one machine."""
    found = []
    for names in (("OMP_NUM_THREADS", "MKL_CBWR"), ("MKL_CBWR", "OMP_NUM_THREADS")):
        for name in names:
            monkeypatch.delenv(name, raising=False)
        for name in names:
            monkeypatch.setenv(name, "1")
        found.append(repr(machine()))
    assert found[0] == found[1]


def test_loading_jax_changes_no_machine() -> None:
    """What JAX itself writes into the environment does not count: a key is the same before and after a training."""
    code = (
        "from harness.train.processor import machine; before = machine(), len(__import__('os').environ)\n"
        "import jax; jax.numpy.ones(3).sum().block_until_ready()\n"
        "after = machine(), len(__import__('os').environ)\n"
        "print(before[0] == after[0], before[1] < after[1])"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "TPU_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["True", "True"]  # the second: it does write something


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("sched_getaffinity", lambda _pid: {0, 1, 2}), ("sched_getaffinity", lambda _pid: {5})],
    ids=["three cores", "one core"],
)
def test_the_cores_that_may_be_used_count(attribute: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As sums are split over threads."""
    monkeypatch.setattr(processor.os, attribute, value)
    assert machine()["cores"] == len(value(0))


@pytest.mark.parametrize(
    ("name", "value"), [("python_version", "3.99.0"), ("libc_ver", ("glibc", "9.9")), ("python_implementation", "PyPy")]
)
def test_python_and_the_c_library_count(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cosine, as in a schedule, is the C library's."""
    before = machine()
    monkeypatch.setattr(platform, name, lambda: value)
    assert machine() != before


@pytest.mark.parametrize("name", ["model", "instruction_set"])
def test_the_processor_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it can do, and by what it is called."""
    before = machine()
    monkeypatch.setattr(processor, name, lambda: "another")
    assert machine() != before


def test_gpus_and_their_driver_count(tmp_path: Path) -> None:
    """Each model by its name, and the driver's version; where there is no driver there are none."""
    driver = tmp_path / "nvidia"
    none = machine(driver)
    written(driver / "gpus" / "0000:01:00.0", "Model: \t\t NVIDIA A10G\nIRQ: 1\n", "information")
    one = machine(driver)
    written(driver / "gpus" / "0000:02:00.0", "Model: \t\t NVIDIA A10G\nIRQ: 2\n", "information")
    two = machine(driver)
    written(driver, "NVRM version: 550.54\nGCC version: 12\n", "version")
    newer = machine(driver)
    assert [found["gpus"] for found in (none, one, two)] == [[], ["NVIDIA A10G"], ["NVIDIA A10G"] * 2]
    assert (none["driver"], newer["driver"]) == ([], ["NVRM version: 550.54"])


def test_the_processor_is_known_by_its_instructions(tmp_path: Path) -> None:
    """Other instructions are another name; the clock, which changes all the time, is no part of it."""
    first = instruction_set(written(tmp_path / "1", CPUINFO))
    faster = instruction_set(written(tmp_path / "2", CPUINFO.replace("2299.998", "2300.001")))
    other = instruction_set(written(tmp_path / "3", CPUINFO.replace("fpu avx2\n\n", "fpu avx2 fma\n\n")))
    assert first == faster != other
    assert first.startswith(f"{platform.machine()}-")


def test_the_processor_is_known_by_its_model(tmp_path: Path) -> None:
    """Libraries choose routines and block sizes by model and cache; the first processor stands for all."""
    expected = "vendor_id : GenuineIntel; model : 207; model name : Some Processor; cache size : 1024 KB"
    assert model(written(tmp_path / "1", CPUINFO)) == expected
    assert model(written(tmp_path / "2", CPUINFO.replace("2299.998", "2300.001"))) == expected
    assert model(written(tmp_path / "3", CPUINFO.replace("1024 KB", "2048 KB"))) != expected
    arm = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c"
    assert model(written(tmp_path / "4", arm)) == "CPU implementer : 0x41; CPU part : 0xd0c"


def test_a_machine_that_says_nothing_of_its_processor_has_a_name(tmp_path: Path) -> None:
    """Without ``/proc/cpuinfo``."""
    assert (model(tmp_path / "none"), len(instruction_set(tmp_path / "none")) > 12) == ("", True)


def test_a_process_knows_when_it_began() -> None:
    """Between the moment before it was started and the moment when it answers, to the tick of the kernel's clock."""
    before = time.time()
    code = "from harness.train.processor import process_start as s; import time; print(s(), s() == s(), time.time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    began, same, answered = done.stdout.split()
    assert before - 0.03 <= float(began) < float(answered) <= time.time()
    assert same == "True"
    assert process_start() < before


def test_a_process_that_cannot_know_takes_everything_for_younger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``/proc`` it began before any file was written: then nothing is taken for unchanged."""
    monkeypatch.setattr(processor, "Path", lambda _path: tmp_path / "none")
    assert process_start.__wrapped__() == 0
    monkeypatch.setattr(processor, "Path", lambda _path: written(tmp_path, "1 (a) b) R 2"))
    assert process_start.__wrapped__() == 0
