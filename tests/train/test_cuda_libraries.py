"""CUDA's libraries out of packages: which ones, in which order, and what is said where they are not."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_elf import write_tiny_elf

from harness.errors import DeviceError, TrainingError
from harness.train import cuda_libraries, elf
from harness.train.cuda_libraries import DRIVER, WHEELS, Plan, load, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[2]

TREE = {
    "cublas": {"libcublas.so.11": ["libcublasLt.so.11", "libc.so.6"], "libcublasLt.so.11": [], "libnvblas.so.11": []},
    "cudnn": {
        "libcudnn.so.8": ["libc.so.6"],
        "libcudnn_cnn_infer.so.8": ["libcudnn_ops_infer.so.8", "libcublas.so.11"],
        "libcudnn_ops_infer.so.8": ["libcublas.so.11", "libcublasLt.so.11"],
    },
    "cuda_nvrtc": {"libnvrtc.so.11.2": [], "libnvrtc-builtins.so.11.7": []},
    "cusolver": {"libcusolver.so.11": ["libcublas.so.11", "libcublasLt.so.11"]},
}
"""Some of what NVIDIA's packages hold, and what the libraries in them really need."""

NEEDED = ("libcudnn.so.8", DRIVER, "libcusolver.so.11", "libnvrtc.so.11.2", "libm.so.6")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python imports from, with `TREE` in it."""
    for package, libraries in TREE.items():
        for name, needed in libraries.items():
            write_tiny_elf(tmp_path / "nvidia" / package / "lib" / name, *needed)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


class Loader:
    """Stands in for the loader: knows some names, notes what it is asked for."""

    def __init__(self, *known: str) -> None:
        self.known, self.asked = known, []

    def __call__(self, name: str) -> None:
        self.asked.append(name)
        if name not in self.known and not Path(name).is_absolute():
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    """A loader that knows NVIDIA's driver, and any file."""
    standing_in = Loader(DRIVER)
    monkeypatch.setattr(ctypes, "CDLL", standing_in)
    return standing_in


@pytest.fixture
def gpu_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed MXNet is one that needs `NEEDED`."""
    library = write_tiny_elf(tmp_path / "mxnet" / "libmxnet.so", *NEEDED)
    monkeypatch.setattr(cuda_libraries, "mxnet_library", lambda: library)
    return library


def names(paths: Sequence[str]) -> list[str]:
    """Without folders."""
    return [Path(path).name for path in paths]


@pytest.mark.usefixtures("packages")
def test_each_library_comes_after_what_it_needs() -> None:
    """First what a library needs, then it, then the parts that it opens while it runs; nothing else of the packages."""
    assert list(plan(NEEDED, cuda_libraries.wheel_folders()).present) == [
        "libcudnn.so.8",
        "libcublasLt.so.11",
        "libcublas.so.11",
        "libcudnn_ops_infer.so.8",
        "libcudnn_cnn_infer.so.8",
        "libcusolver.so.11",
        "libnvrtc.so.11.2",
        "libnvrtc-builtins.so.11.7",
    ]


@given(needs=st.lists(st.sets(st.integers(0, 5)), min_size=6, max_size=6))
@settings(max_examples=25, deadline=None)
def test_any_graph_of_needs_is_ordered(tmp_path_factory: pytest.TempPathFactory, needs: list[set[int]]) -> None:
    """Whatever needs what, everything comes once; and where no circle forbids it, after all that it needs."""
    folder = tmp_path_factory.mktemp("graph", numbered=True)
    for index, others in enumerate(needs):
        write_tiny_elf(folder / f"lib{index}.so", *(f"lib{other}.so" for other in sorted(others)))
    order = [int(name[3]) for name in plan([f"lib{index}.so" for index in range(6)], [folder]).present]
    assert sorted(order) == list(range(6))
    if all(other < index for index, others in enumerate(needs) for other in others):
        assert all(order.index(other) < order.index(index) for index, others in enumerate(needs) for other in others)


def test_what_no_package_holds_is_absent(packages: Path) -> None:
    """CUDA's libraries that are not there are named, also those that others need; the system's are not ours to miss."""
    (packages / "nvidia/cublas/lib/libcublasLt.so.11").unlink()
    (packages / "nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2").unlink()
    assert plan(NEEDED, cuda_libraries.wheel_folders()).absent == ("libcublasLt.so.11", "libnvrtc.so.11.2")


def test_the_folder_that_python_sees_first_wins(
    packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with modules: of two installed packages with a library, it is that of the folder that comes first."""
    first = write_tiny_elf(tmp_path / "first" / "nvidia" / "cudnn" / "lib" / "libcudnn.so.8")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(packages)])
    folders = cuda_libraries.wheel_folders()
    assert plan(["libcudnn.so.8"], folders).present["libcudnn.so.8"] == first
    assert plan(["libcudnn.so.8"], folders[1:]).present["libcudnn.so.8"] != first


def test_a_file_of_another_cuda_release_is_refused(packages: Path) -> None:
    """jax[cuda12] writes a libcusolver.so.11 into the same folder: it is named, with what to do about it."""
    other = write_tiny_elf(packages / "nvidia/cusolver/lib/libcusolver.so.11", "libc.so.6", "libcublas.so.12")
    with pytest.raises(TrainingError) as caught:
        plan(NEEDED, cuda_libraries.wheel_folders())
    assert str(caught.value) == (
        f"engine mxnet: expected {other} to need libcublas.so.11, found that it needs libcublas.so.12: a package for "
        f"another release of CUDA has replaced the file, as jax[cuda12] does; make one environment for mxnet-cu117 and "
        f"one for jax[cuda12]"
    )


def test_a_gpu_build_gets_its_libraries(packages: Path, gpu_build: Path, loader: Loader) -> None:
    """The driver is looked for first, then the packages' files are loaded in their order."""
    cuda_libraries.preload()
    expected = plan(elf.needed(gpu_build), [packages / "nvidia" / package / "lib" for package in TREE])
    assert loader.asked == [DRIVER, *map(str, expected.present.values())]


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("library", [None, ("libopenblas.so.0", "libc.so.6")], ids=["no MXNet", "CPU build"])
def test_without_a_gpu_build_nothing_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: Loader, library: tuple[str, ...] | None
) -> None:
    """A CPU build, or none, leaves the loader alone, packages or not; there is nothing for other processes either."""
    found = write_tiny_elf(tmp_path / "libmxnet.so", *library) if library else None
    monkeypatch.setattr(cuda_libraries, "mxnet_library", lambda: found)
    cuda_libraries.preload()
    assert loader.asked == []
    assert cuda_libraries.loader_environment() == {}


@pytest.mark.parametrize(
    ("needed", "gpu"),
    [([DRIVER], True), (["libc.so.6", "libnccl.so.2"], True), (["libc.so.6", "libgfortran.so.3"], False), ([], False)],
)
def test_a_gpu_build_is_known_by_what_it_needs(needed: list[str], gpu: bool) -> None:
    """A library that needs the driver or a library of CUDA's is one, and no other."""
    assert cuda_libraries.is_gpu_build(needed) is gpu


def test_a_missing_driver_is_one_clear_error(gpu_build: Path, packages: Path, loader: Loader) -> None:
    """Without NVIDIA's driver nothing can help a GPU build: no package is loaded, and the way back is a pip line."""
    loader.known = ()
    with pytest.raises(DeviceError) as caught:
        cuda_libraries.preload()
    assert str(caught.value) == (
        f"engine mxnet: the installed MXNet is a GPU build ({gpu_build}) and cannot be imported without NVIDIA's "
        f"driver: expected libcuda.so.1, found none (libcuda.so.1: cannot open shared object file: No such file or "
        f"directory); install the driver, or put the CPU build in its place, with which engine xla works too: "
        f"pip uninstall --yes mxnet-cu117 && pip install --force-reinstall --no-deps mxnet==1.9.1"
    )
    assert isinstance(caught.value.__cause__, OSError)
    assert not [path for path in loader.asked if path.startswith(str(packages))]


@pytest.mark.usefixtures("gpu_build")
def test_missing_packages_are_named_with_their_versions(packages: Path, loader: Loader) -> None:
    """All that is missing comes in one error: the libraries, and one pip line with the packages; nothing is loaded."""
    shutil.rmtree(packages / "nvidia" / "cublas")
    shutil.rmtree(packages / "nvidia" / "cuda_nvrtc")
    with pytest.raises(TrainingError) as caught:
        cuda_libraries.preload()
    assert str(caught.value) == (
        "engine mxnet: the installed MXNet is a GPU build: expected libcublas.so.11, libcublasLt.so.11, "
        "libnvrtc.so.11.2, found in no installed package nor on the loader's path; install with: "
        "pip install nvidia-cublas-cu11==11.10.3.66 nvidia-cuda-nvrtc-cu11==11.7.99"
    )
    assert not [path for path in loader.asked if path.startswith(str(packages))]


@pytest.mark.usefixtures("gpu_build")
def test_the_systems_libraries_do_where_no_package_is(packages: Path, loader: Loader) -> None:
    """What the loader finds by itself is not missed; what a package holds is taken from there all the same."""
    shutil.rmtree(packages / "nvidia" / "cuda_nvrtc")
    loader.known = (DRIVER, "libnvrtc.so.11.2", "libcudnn.so.8")
    cuda_libraries.preload()
    assert "libnvrtc.so.11.2" in loader.asked
    assert "libcudnn.so.8" not in loader.asked
    assert str(packages / "nvidia/cudnn/lib/libcudnn.so.8") in loader.asked


def test_a_file_that_the_loader_refuses_is_named(tmp_path: Path) -> None:
    """A damaged file is an error of ours with the loader's reason, and the pip line that mends it."""
    broken = tmp_path / "libnccl.so.2"
    broken.write_text("<html>")
    with pytest.raises(TrainingError) as caught:
        load(Plan({broken.name: broken}, ()))
    assert str(caught.value) == (
        f"engine mxnet: expected to load {broken}, found that the loader refuses it ({broken}: file too short); "
        f"install it anew: pip install --force-reinstall --no-deps nvidia-nccl-cu11==2.14.3"
    )


@pytest.mark.usefixtures("gpu_build")
def test_other_processes_are_told_where_the_libraries_are(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that imports MXNet by itself gets the folders, each once, before what this one was given."""
    folders = [str(packages / "nvidia" / package / "lib") for package in ("cudnn", "cublas", "cusolver", "cuda_nvrtc")]
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    assert cuda_libraries.loader_environment() == {"LD_LIBRARY_PATH": ":".join(folders)}
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/cuda/lib64")
    assert cuda_libraries.loader_environment() == {"LD_LIBRARY_PATH": ":".join([*folders, "/usr/local/cuda/lib64"])}


def test_mxnets_library_is_found_without_importing_it(tmp_path: Path) -> None:
    """It lies beside the package, or where MXNET_LIBRARY_PATH says; asking does not import MXNet."""
    elsewhere = write_tiny_elf(tmp_path / "libmxnet.so")
    script = (
        "import sys; from harness.train import cuda_libraries; "
        "print(cuda_libraries.mxnet_library(), 'mxnet' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "MXNET_LIBRARY_PATH"}
    for given_path, tail in ((None, "mxnet/libmxnet.so False"), (str(elsewhere), f"{elsewhere} False")):
        given_environment = {"MXNET_LIBRARY_PATH": given_path} if given_path else {}
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=REPOSITORY,
            env=environment | given_environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip().endswith(tail)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"__init__.py": ""},
        {"__init__.py": "", "libinfo.py": "def find_lib_path():\n    raise RuntimeError('Cannot find the library')\n"},
    ],
    ids=["no package", "no libinfo", "no library"],
)
def test_an_mxnet_without_library_is_left_to_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    """No MXNet, or one whose library is gone, is no matter of CUDA's: the import that follows says so."""
    (tmp_path / "mxnet").mkdir()
    for name, content in files.items():
        (tmp_path / "mxnet" / name).write_text(content)
    monkeypatch.delitem(sys.modules, "mxnet", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    if not files:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert cuda_libraries.mxnet_library() is None


def test_every_library_has_its_package_and_version() -> None:
    """Names are sonames, packages are CUDA 11's and pinned: the error's pip line installs exactly what was tried."""
    for name, wheel in WHEELS.items():
        assert name.startswith("lib")
        assert ".so." in name
        package, _, version = wheel.partition("==")
        assert package.startswith("nvidia-")
        assert package.endswith("-cu11")
        assert version.replace(".", "").isdigit()


def test_the_extra_installs_what_the_error_names() -> None:
    """``byom-harness[mxnet-gpu]`` and the pip line of the error agree on every package and version."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["mxnet-gpu"]
    assert {wheel for wheel in extra if wheel.startswith("nvidia-")} == set(WHEELS.values())
