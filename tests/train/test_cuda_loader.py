"""CUDA's libraries out of packages, with the real loader: small shared objects stand in for MXNet and for CUDA."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.train.cuda_libraries import DRIVER, loader_finds, plan, wheel_folders

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler, cc, to build shared objects")

PARTS = """
#include <dlfcn.h>
int version(void) {
    void *part = dlopen("libbyomdnn_ops_infer.so.8", RTLD_NOW);
    return part ? ((int (*)(void))dlsym(part, "part_version"))() : -1;
}
"""

WHEEL = "packages/nvidia/cudnn/lib"
LIBINFO = "def find_lib_path():\n    return [__file__.replace('libinfo.py', 'libmxnet.so')]\n"

ASK = """
import ctypes, sys
from pathlib import Path
from harness.train import cuda_libraries, elf

library, folder, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if how == "preloaded":
    cuda_libraries.load(cuda_libraries.plan(elf.needed(library), [folder]))
elif how == "without parts":
    ctypes.CDLL(str(folder / "libbyomdnn.so.8"))
try:
    print(ctypes.CDLL(str(library)).ask())
except OSError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def real_libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three MXNets and a package: ``cpu/mxnet`` needs nothing, ``undriven/mxnet`` cuDNN and a driver.

    ``gpu/mxnet`` needs a library that no machine has, whose part answers 8500; another part, under ``system/``, says
    8906.
    """
    folder = tmp_path_factory.mktemp("real")
    (folder / "dnn.c").write_text(PARTS)
    (folder / "mxnet.c").write_text("int version(void);\nint ask(void) { return version(); }\n")
    (folder / "empty.c").write_text("")
    for place, number in ((WHEEL, 8500), ("system", 8906)):
        (folder / place).mkdir(parents=True)
        (folder / "part.c").write_text(f"int part_version(void) {{ return {number}; }}\n")
        compile_library(folder, "part.c", f"{place}/libbyomdnn_ops_infer.so.8")
    compile_library(folder, "dnn.c", f"{WHEEL}/libbyomdnn.so.8", "-Wl,-rpath,$ORIGIN", "-ldl")
    compile_library(folder, "empty.c", f"{WHEEL}/libcudnn.so.8")
    compile_library(folder, "empty.c", DRIVER)
    needs = {"cpu": (), "gpu": ("-l:libbyomdnn.so.8",), "undriven": ("-l:libcudnn.so.8", f"-l:{DRIVER}")}
    for build, linked in needs.items():
        package = folder / build / "mxnet"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "libinfo.py").write_text(LIBINFO)
        compile_library(
            folder, "mxnet.c", f"{build}/mxnet/libmxnet.so", "-Wl,--no-as-needed", f"-L{WHEEL}", "-L.", *linked
        )
    return folder


def compile_library(folder: Path, source: str, library: str, *options: str) -> None:
    """Compile one C file to a shared object whose name is that of its file."""
    soname = f"-Wl,-soname,{Path(library).name}"
    subprocess.run(["cc", "-shared", "-fPIC", soname, "-o", library, source, *options], cwd=folder, check=True)  # noqa: S607 - found on the PATH


@pytest.mark.parametrize(
    ("how", "library_path", "answer"),
    [
        ("as it is", "", "libbyomdnn.so.8: cannot open shared object file: No such file or directory"),
        ("preloaded", "", "8500"),
        ("without parts", "system", "8906"),
        ("preloaded", "system", "8500"),
    ],
)
def test_the_loader_takes_what_was_preloaded(real_libraries: Path, how: str, library_path: str, answer: str) -> None:
    """With the real loader: MXNet's needs are met by name, and a library opens its own parts, not the system's.

    The first and the third case are the controls: without preloading it cannot be loaded, and without the parts the
    system's are mixed in.
    """
    environment = {**os.environ, "LD_LIBRARY_PATH": str(real_libraries / library_path) if library_path else ""}
    done = subprocess.run(
        [sys.executable, "-c", ASK, real_libraries / "gpu/mxnet/libmxnet.so", real_libraries / WHEEL, how],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == answer


@pytest.mark.parametrize(
    ("build", "packages", "status", "said"),
    [
        ("cpu", "packages", 0, "a CPU build: it needs no library of CUDA's"),
        ("undriven", "packages", 0, "not found by itself, 1 not found preloaded"),
        ("undriven", "", 1, "pip install nvidia-cudnn-cu11=="),
    ],
)
def test_the_check_tells_what_is_missing(
    real_libraries: Path, build: str, packages: str, status: int, said: str
) -> None:
    """``python -m benchmarks.cuda_loader`` forgives a missing driver, and nothing else."""
    if loader_finds(DRIVER):
        pytest.skip(f"needs a machine without NVIDIA's driver, found {DRIVER}")
    if loader_finds("libcudnn.so.8") or plan(["libcudnn.so.8"], wheel_folders()).present:
        pytest.skip("needs an environment without cuDNN, found libcudnn.so.8")
    path = [str(real_libraries / folder) for folder in (build, packages) if folder]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cuda_loader"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "LD_LIBRARY_PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, said in done.stdout) == (status, True), done.stdout + done.stderr
