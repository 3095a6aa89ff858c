"""Deployment through the SageMaker SDK, on the simulated account with AWS's own model server."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.artifact import SYMBOL
from harness.cloud.deploy import deploy, resource_name
from harness.cloud.predictor import CONTENT_TYPES, Predictor
from harness.cloud.session import LIVE
from harness.errors import ArtifactError, CloudError
from harness.tarball.export import pack
from harness.tarball.extract import extract
from harness.tarball.verify import check, load_artifact

if TYPE_CHECKING:
    from pathlib import Path

    from harness.artifact import Artifact
    from harness.cloud.session import Cloud

pytestmark = pytest.mark.serving

SCRIPT = """
def build_graph():
    import mxnet as mx
    scores = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.var("data")), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(scores, name="softmax")
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An entry point that the container can import."""
    path = tmp_path_factory.mktemp("script") / "entry.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    """Of one layer that tells 2x2 images into three classes."""
    generator = np.random.default_rng(3)
    return {"fc_weight": generator.normal(size=(3, 4)).astype(np.float32), "fc_bias": np.zeros(3, np.float32)}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, script: Path, weights: dict[str, np.ndarray]) -> Artifact:
    """That model's tarball."""
    from harness.result import Checkpoint
    from harness.train import checkpoint, compat

    namespace: dict[str, object] = {}
    compat.mxnet()
    exec(script.read_text(), namespace)  # noqa: S102 - the test's own script
    symbol = namespace["build_graph"]()  # type: ignore[operator]
    folder = tmp_path_factory.mktemp("model")
    stored = Checkpoint(
        symbol_json=symbol.tojson(), parameters=weights, auxiliary={}, data_shapes=(("data", (1, 1, 2, 2)),)
    )
    checkpoint.save(stored, folder)
    return pack(folder, tmp_path_factory.mktemp("packed") / "model.tar.gz")


def everything(cloud: Cloud) -> list[object]:
    """Whatever of the kinds that a deployment makes there is in the account."""
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    found = [*sagemaker.list_models()["Models"], *sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    found += sagemaker.list_endpoints()["Endpoints"]
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith("sagemaker-"):
            found += s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
    return found


def test_deploy_predict_delete(account: Cloud, packed: Artifact, script: Path, weights: dict[str, np.ndarray]) -> None:
    """The endpoint answers with the model's own probabilities by all three content types, and leaves nothing behind."""
    kept = packed.path.with_name("kept-under-another-name.tar.gz")  # the SDK's copy is called model.tar.gz all the same
    shutil.copyfile(packed.path, kept)
    artifact = dataclasses.replace(packed, path=kept)
    deployment = deploy(account, artifact, name=resource_name(account, "good"), entry_point=script)
    assert len(everything(account)) == 5  # model, config, endpoint, upload, the SDK's repacked upload
    images = np.random.default_rng(4).normal(size=(7, 1, 2, 2)).astype(np.float32)
    scores = np.exp(images.reshape(7, 4) @ weights["fc_weight"].T)
    expected = scores / scores.sum(axis=1, keepdims=True)
    for content_type in CONTENT_TYPES:
        answer = Predictor(account, deployment.endpoint_name).predict(images, content_type)
        np.testing.assert_allclose(answer, expected, atol=1e-5)
    deployment.delete()
    assert everything(account) == []
    deployment.delete()  # what is gone stays gone


def test_a_container_that_cannot_start_fails_with_its_reason(account: Cloud, packed: Artifact, tmp_path: Path) -> None:
    """A script that the container cannot import fails the endpoint with that very exception, and is cleaned up."""
    script = tmp_path / "entry.py"
    script.write_text("def build_graph(): pass\nraise RuntimeError('no such library in the container')\n")
    with pytest.raises(CloudError, match=r"expected InService, found Failed: .*no such library in the container"):
        deploy(account, packed, name=resource_name(account, "bad"), entry_point=script)
    assert everything(account) == []


def test_a_refused_call_is_one_error_and_is_cleaned_up(account: Cloud, packed: Artifact, script: Path) -> None:
    """An instance type that AWS refuses is one error; the uploads and the model made until then are deleted."""
    odd = dataclasses.replace(account, instance_type="ml.nosuch")
    with pytest.raises(CloudError, match=r"deploying byom-odd-.* to the simulated account: .*ml\.nosuch"):
        deploy(odd, packed, name=resource_name(account, "odd"), entry_point=script)
    assert everything(account) == []


def test_a_name_of_ones_own_is_refused(account: Cloud, packed: Artifact, script: Path) -> None:
    """By its name an object is told from other people's, so it must come from resource_name; nothing is made."""
    for name in ("mine", "byom-mine-1", resource_name(account, "m" * 60)):
        with pytest.raises(CloudError, match=r"expected a name from resource_name\(\), at most 63 characters, found '"):
            deploy(account, packed, name=name, entry_point=script)
    assert everything(account) == []


def test_a_name_repeats_for_the_same_run(account: Cloud) -> None:
    """Names follow from the run, the title and the number, and differ between them."""
    run = account.recorder.run.run
    assert [resource_name(account, "mlp", number) for number in (1, 2, 1)] == [
        f"byom-mlp-{run}-1",
        f"byom-mlp-{run}-2",
        f"byom-mlp-{run}-1",
    ]


def test_nothing_is_uploaded_that_cannot_be_served(account: Cloud, packed: Artifact, script: Path) -> None:
    """A tarball that `verify` refuses never reaches AWS: not one call is made for it."""
    cut = packed.path.with_name("cut.tar.gz")
    cut.write_bytes(packed.path.read_bytes()[:500])
    calls: list[str] = []
    events = account.client("s3").meta.events
    events.register_first("before-call", lambda model, **_: calls.append(model.name), "byom-test-calls")
    try:
        artifact, name = dataclasses.replace(packed, path=cut), resource_name(account, "cut")
        with pytest.raises(ArtifactError, match=r"\[truncated\]"):
            deploy(account, artifact, name=name, entry_point=script)
        assert calls == []
        account.client("s3").list_buckets()
        assert calls == ["ListBuckets"]  # or nothing was counted
    finally:
        events.unregister("before-call", unique_id="byom-test-calls")


def test_a_live_endpoint_gets_what_awss_handler_has_loaded(account: Cloud, packed: Artifact, script: Path) -> None:
    """What passes for a model by its text and cannot be loaded is found before anything is paid for."""
    folder = packed.path.with_name("unloadable")
    extract(packed.path, folder)
    document = json.loads((folder / SYMBOL).read_text())
    data, *later = document["nodes"]
    assert data["name"] == "data"
    for node in later:
        node["inputs"] = [[at + 2, number, 0] for at, number, _ in node["inputs"]]
    # MXNet 1.9.1 trains with two of these in a row, and cannot bind them for inference.
    dropouts = [{"op": "Dropout", "name": f"dropout{at}", "inputs": [[at, 0, 0]]} for at in range(2)]
    document["nodes"] = [data, *dropouts, *later]
    document["arg_nodes"] = [at for at, node in enumerate(document["nodes"]) if node["op"] == "null"]
    document["heads"] = [[len(document["nodes"]) - 1, 0, 0]]
    del document["node_row_ptr"]
    (folder / SYMBOL).write_text(json.dumps(document))
    unloadable = pack(folder, packed.path.with_name("unloadable.tar.gz"))
    check(unloadable.path)
    live = dataclasses.replace(account, kind=LIVE)
    with pytest.raises(ArtifactError, match=r"\[load-error\].*in_arg_ctx_map"):
        deploy(live, unloadable, name=resource_name(live, "unloadable"), entry_point=script)
    assert everything(account) == []


def test_what_the_sdk_makes_of_it_is_verified_too(account: Cloud, packed: Artifact, tmp_path: Path) -> None:
    """The SDK packs the entry point into the tarball and uploads that: no model is made of what cannot be served."""
    script = tmp_path / "entry.py"
    script.write_text("match 1:\n    case _:\n        pass\n")  # the container's Python is older
    with pytest.raises(ArtifactError, match=r"\[code-syntax\] code/entry\.py: expected Python 3\.8"):
        deploy(account, packed, name=resource_name(account, "repacked"), entry_point=script)
    assert everything(account) == []


def test_requirements_reach_the_container(account: Cloud, packed: Artifact, script: Path, tmp_path: Path) -> None:
    """What the SDK makes of the tarball still has ``code/requirements.txt``, beside the entry point."""
    (tmp_path / "r.txt").write_text("numpy>=1\n")
    folder = tmp_path / "model"
    extract(packed.path, folder)
    target = tmp_path / "model.tar.gz"
    artifact = pack(folder, target, entry_point=script, requirements=tmp_path / "r.txt")
    deployment = deploy(account, artifact, name=resource_name(account, "requirements"), entry_point=script)
    repacked = tmp_path / "repacked.tar.gz"
    name = deployment.endpoint_name
    account.client("s3").download_file(account.sdk.default_bucket(), f"{name}/{name}/model.tar.gz", str(repacked))
    assert {"code/entry.py", "code/requirements.txt"} < set(load_artifact(repacked).members)
    deployment.delete()
