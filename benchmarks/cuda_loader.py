"""Where the loader finds what MXNet's GPU build needs, before and after ``harness.train.cuda_libraries`` has helped.

``python -m benchmarks.cuda_loader [--stand-in-driver]`` prints a line for every library, then imports MXNet if there is
a driver. It ends with status 1 if anything but the driver is missing. With ``--stand-in-driver`` a C compiler makes a
driver that has no device, for machines without one: MXNet then imports and computes on the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.errors import HarnessError
from harness.train import compat, cuda_libraries, elf

DRIVER_FUNCTIONS = (
    "cuDeviceGet",
    "cuDevicePrimaryCtxRetain",
    "cuGetErrorString",
    "cuGraphKernelNodeGetParams",
    "cuGraphNodeGetType",
    "cuInit",
    "cuLaunchKernel",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuModuleLoadDataEx",
    "cuModuleUnload",
)
"""What ``libmxnet.so`` of ``mxnet-cu117`` names of the driver (``nm -D --undefined-only``), and ``cuInit``."""

NO_DEVICE = 100
"""``CUDA_ERROR_NO_DEVICE``, cuda.h."""

CUDNN_CHECKS = ("OpsInfer", "OpsTrain", "CnnInfer", "CnnTrain", "AdvInfer", "AdvTrain")
"""``cudnn<part>VersionCheck``: opens a part of cuDNN and answers 0 if it is of the same version (cudnn_version.h)."""

RTLD_DI_LINKMAP = 2


class LinkMap(ctypes.Structure):
    """The loader's record of a loaded library, as far as it is public (``struct link_map``, link.h)."""

    _fields_ = [("address", ctypes.c_size_t), ("name", ctypes.c_char_p)]


def main() -> int:
    """Print what the loader finds; 0 if nothing but the driver is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in-driver", action="store_true", help="compile a driver that has no device")
    options = parser.parse_args()
    library = cuda_libraries.mxnet_library()
    if library is None:
        print("MXNet is not installed here")
        return 1
    names = [
        name for name in elf.needed(library) if not library.with_name(name).is_file()
    ]  # it finds what is beside it
    print(library)
    if not cuda_libraries.is_gpu_build(names):
        print("a CPU build: it needs no library of CUDA's")
        return 0
    try:
        missing = resolve(names, stand_in=options.stand_in_driver)
        if cuda_libraries.DRIVER not in missing:
            compute()
    except HarnessError as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0 if missing <= {cuda_libraries.DRIVER} else 1


def resolve(names: list[str], *, stand_in: bool) -> set[str]:
    """Print where the loader finds each name before and after preloading; the names that it finds nowhere."""
    plan = cuda_libraries.plan(names, cuda_libraries.wheel_folders())
    wanted = list(dict.fromkeys((*names, *plan.present)))
    before = {name: found(name) for name in wanted}
    if stand_in:
        load_stand_in()
    cuda_libraries.load(plan)
    after = {name: found(name) for name in wanted}
    print(f"{'library':28} {'by itself':12} preloaded")
    for name in wanted:
        print(f"{name:28} {'found' if before[name] else 'not found':12} {after[name] or 'not found'}{package(name)}")
    missing = {name for name in wanted if not after[name]}
    absent_before = sum(not path for path in before.values())
    print(f"{len(wanted)} libraries: {absent_before} not found by itself, {len(missing)} not found preloaded")
    return missing


def found(name: str) -> str:
    """The file that the loader takes for a name, with all its symbols bound; "" if there is none."""
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return ""
    entry = ctypes.POINTER(LinkMap)()
    ctypes.CDLL(None).dlinfo(ctypes.c_void_p(library._handle), RTLD_DI_LINKMAP, ctypes.byref(entry))  # noqa: SLF001
    path: bytes = entry.contents.name
    return shorter(path.decode())


def shorter(path: str) -> str:
    """A path, from the folder on that Python imports from."""
    for entry in filter(None, sys.path):
        with contextlib.suppress(ValueError):
            return str(Path(path).relative_to(entry))
    return path


def package(name: str) -> str:
    """The installed package that a library is expected in, with its version."""
    distribution = cuda_libraries.WHEELS.get(name, "").partition("==")[0]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
        return f" ({distribution} {importlib.metadata.version(distribution)})"
    return ""


def compute() -> None:
    """Import MXNet as the harness does, ask cuDNN for all its parts, and multiply on the CPU."""
    mx = compat.mxnet()
    features = mx.runtime.Features()
    print(f"mxnet {mx.__version__}:", *(f"{name}={features.is_enabled(name)}" for name in ("CUDA", "CUDNN", "NCCL")))
    cudnn = ctypes.CDLL("libcudnn.so.8")
    parts = {part: getattr(cudnn, f"cudnn{part}VersionCheck")() for part in CUDNN_CHECKS}
    print(f"cuDNN {cudnn.cudnnGetVersion()}:", *(f"{part}={status}" for part, status in parts.items()))
    matrix = mx.nd.arange(6).reshape((2, 3))
    print("on the CPU:", mx.nd.dot(matrix, matrix.T).asnumpy().tolist(), f"GPUs: {mx.context.num_gpus()}")


def load_stand_in() -> None:
    """Compile and load a driver that says no device to everything; the loader knows it by its name from then on."""
    source = "".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in DRIVER_FUNCTIONS)
    with tempfile.TemporaryDirectory(prefix="byom-driver-") as folder:
        library = Path(folder, cuda_libraries.DRIVER)
        command = ("cc", "-shared", "-fPIC", f"-Wl,-soname,{library.name}", "-x", "c", "-o", str(library), "-")
        subprocess.run(command, input=source, text=True, check=True)
        ctypes.CDLL(str(library))


if __name__ == "__main__":
    sys.exit(main())
