"""CUDA's libraries for MXNet's GPU build, out of packages: loaded before MXNet, so that nobody sets LD_LIBRARY_PATH.

``libmxnet.so`` of ``mxnet-cu117`` names CUDA's libraries, and the loader knows no folder of theirs: NVIDIA's wheels put
them into ``nvidia/*/lib`` beside all other packages. A library that a process has loaded already is found by its name
(``DT_SONAME``) from then on, so loading them from there is all it takes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DeviceError, TrainingError
from harness.train import elf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DRIVER = "libcuda.so.1"
"""NVIDIA's driver brings this one; no package does."""

WHEELS = {
    "libcudart.so.11.0": "nvidia-cuda-runtime-cu11==11.7.99",
    "libcublas.so.11": "nvidia-cublas-cu11==11.10.3.66",
    "libcublasLt.so.11": "nvidia-cublas-cu11==11.10.3.66",
    "libcudnn.so.8": "nvidia-cudnn-cu11==8.5.0.96",
    "libcufft.so.10": "nvidia-cufft-cu11==10.7.2.91",
    "libcurand.so.10": "nvidia-curand-cu11==10.2.10.91",
    "libcusolver.so.11": "nvidia-cusolver-cu11==11.4.0.1",
    "libcusparse.so.11": "nvidia-cusparse-cu11==11.7.4.91",
    "libnccl.so.2": "nvidia-nccl-cu11==2.14.3",
    "libnvrtc.so.11.2": "nvidia-cuda-nvrtc-cu11==11.7.99",
    "libnvToolsExt.so.1": "nvidia-nvtx-cu11==11.7.91",
}
"""Which package holds a library: those of CUDA 11.7, and the cuDNN that ``mxnet-cu117`` 1.9.1 was compiled against.
With any other cuDNN 8 MXNet warns of a "cuDNN lib mismatch" (``Context::CuDNNLibChecks``, which compares with 8500)."""


@dataclass(frozen=True)
class Plan:
    """What has to be in the process before MXNet.

    Attributes:
        present: name to file, for what an installed package holds; each after all that it needs itself, and followed by
            the parts that it opens while it runs.
        absent: names from `WHEELS` that no installed package holds.
    """

    present: Mapping[str, Path]
    absent: tuple[str, ...]


def preload() -> None:
    """Load CUDA's libraries if the installed MXNet is a GPU build, and do nothing otherwise.

    Packages go before what the loader would find by itself (a CUDA under ``/usr/local``, ``LD_LIBRARY_PATH``): they are
    the versions that this MXNet was built with, the same on every machine, and one library of theirs never meets parts
    of another release. Whoever wants the system's does not install the packages: a library that none of them holds is
    left to the loader.

    Raises:
        DeviceError: NVIDIA's driver is not installed.
        TrainingError: a library is neither in a package nor known to the loader, or cannot be loaded.
    """
    library = mxnet_library()
    if library is None:
        return
    names = elf.needed(library)
    if is_gpu_build(names):
        check_driver(library)
        load(plan(names, wheel_folders()))


def loader_environment() -> dict[str, str]:
    """What a process that imports MXNet by itself needs in its environment; nothing for a CPU build.

    What `preload` loads is in this process alone: AWS's model server, for one, is another. The value of
    ``LD_LIBRARY_PATH`` keeps `preload`'s order: packages, then what this process was given.

    Raises:
        TrainingError: as `plan`.
    """
    library = mxnet_library()
    if library is None or not is_gpu_build(names := elf.needed(library)):
        return {}
    folders = dict.fromkeys(str(path.parent) for path in plan(names, wheel_folders()).present.values())
    given = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": os.pathsep.join([*folders, *([given] if given else [])])}


def mxnet_library() -> Path | None:
    """The file that ``import mxnet`` would load, by MXNet's own rule (``mxnet/libinfo.py``); None if there is none."""
    package = importlib.util.find_spec("mxnet")
    if package is None or package.origin is None:
        return None
    try:
        found = runpy.run_path(str(Path(package.origin).with_name("libinfo.py")))["find_lib_path"]()
    except (OSError, RuntimeError):  # importing MXNet will say the same, and is what the caller does next
        return None
    return Path(found[0])


def is_gpu_build(needed: Iterable[str]) -> bool:
    """Whether a library that needs these was built for GPUs.

    The file is asked, not the names of installed packages: ``mxnet`` and ``mxnet-cu117`` write the same files, and
    where both are installed the last one is what there is.
    """
    return not {DRIVER, *WHEELS}.isdisjoint(needed)


def check_driver(library: Path) -> None:
    """Refuse a GPU build where no driver is.

    Raises:
        DeviceError: the loader does not find `DRIVER`.
    """
    try:
        ctypes.CDLL(DRIVER)
    except OSError as error:
        raise DeviceError(
            f"engine mxnet: the installed MXNet is a GPU build ({library}) and cannot be imported without NVIDIA's "
            f"driver: expected {DRIVER}, found none ({error}); install the driver, or put the CPU build in its place, "
            f"with which engine xla works too: "
            f"pip uninstall --yes mxnet-cu117 && pip install --force-reinstall --no-deps mxnet==1.9.1"
        ) from error


def wheel_folders() -> list[Path]:
    """Where NVIDIA's packages keep libraries: ``nvidia/*/lib`` in every folder that Python imports from."""
    return [folder for entry in sys.path for folder in sorted(Path(entry, "nvidia").glob("*/lib"))]


def plan(names: Iterable[str], folders: Sequence[Path]) -> Plan:
    """What to load for a library that needs these names, and what is not there to be loaded.

    Raises:
        TrainingError: a library in these folders was built for another release of CUDA.
    """
    present: dict[str, Path] = {}
    absent: list[str] = []
    seen: set[str] = set()

    def visit(names: Iterable[str]) -> None:
        for name in names:
            if name in seen:
                continue
            seen.add(name)
            path = next((folder / name for folder in folders if (folder / name).is_file()), None)
            if path is not None:
                needed = elf.needed(path)
                _check_release(path, needed)
                visit(needed)
                present[name] = path
                visit(_parts(path))
            elif name in WHEELS:
                absent.append(name)

    visit(names)
    return Plan(present, tuple(absent))


def load(libraries: Plan) -> None:
    """Load what is there, in its order; the loader has to find the rest.

    The libraries' symbols stay their own (``RTLD_LOCAL``): JAX may bring a CUDA of another release into this process.

    Raises:
        TrainingError: the loader does not find the rest, or refuses a file.
    """
    missing = [name for name in libraries.absent if not loader_finds(name)]
    if missing:
        raise TrainingError(
            f"engine mxnet: the installed MXNet is a GPU build: expected {', '.join(missing)}, found in no installed "
            f"package nor on the loader's path; install with: pip install {' '.join(_wheels(missing))}"
        )
    for name, path in libraries.present.items():
        try:
            ctypes.CDLL(str(path))
        except OSError as error:
            wheels = " ".join(_wheels([name])) or path.parent.parent.name
            raise TrainingError(
                f"engine mxnet: expected to load {path}, found that the loader refuses it ({error}); install it anew: "
                f"pip install --force-reinstall --no-deps {wheels}"
            ) from error


def loader_finds(name: str) -> bool:
    """Whether a library is loaded already, or can be by its name alone."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _parts(path: Path) -> list[str]:
    """Libraries beside one that it opens while it runs: ``libcudnn_ops_infer.so.8``, ``libnvrtc-builtins.so.11.7``.

    It opens them by name, and the loader looks into ``LD_LIBRARY_PATH`` before it looks beside it: with another cuDNN
    there, cuDNN 8.5 takes the parts of that one.
    """
    return sorted(part.name for part in path.parent.glob(f"{_stem(path.name)}[_-]*.so*"))


def _check_release(path: Path, needed: Iterable[str]) -> None:
    """CUDA 12 has a ``libcusolver.so.11`` too, in the same folder: it would bring a second cuBLAS along."""
    releases = {_stem(name): name for name in WHEELS}
    for name in needed:
        expected = releases.get(_stem(name), name)
        if name != expected:
            raise TrainingError(
                f"engine mxnet: expected {path} to need {expected}, found that it needs {name}: a package for another "
                f"release of CUDA has replaced the file, as jax[cuda12] does; make one environment for mxnet-cu117 and "
                f"one for jax[cuda12]"
            )


def _stem(name: str) -> str:
    return name.partition(".so")[0]


def _wheels(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(WHEELS[name] for name in names if name in WHEELS))
