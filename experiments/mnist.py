"""The notebook's entry point: the 784-128-64-10 perceptron, and how the notebook trains it.

This file ships inside the tarball and runs in AWS's container, where there is no harness: it imports MXNet and the
standard library only. The container needs none of its functions to serve the model: its default handlers do that.
"""

import mxnet as mx


def build_graph() -> mx.sym.Symbol:
    """784-128-64-10 with rectifiers, ending in a softmax; input ``data`` of shape (batch, 1, 28, 28)."""
    data = mx.sym.flatten(data=mx.sym.var("data"))
    hidden1 = mx.sym.FullyConnected(data=data, num_hidden=128, name="fc1")
    active1 = mx.sym.Activation(data=hidden1, act_type="relu", name="relu1")
    hidden2 = mx.sym.FullyConnected(data=active1, num_hidden=64, name="fc2")
    active2 = mx.sym.Activation(data=hidden2, act_type="relu", name="relu2")
    scores = mx.sym.FullyConnected(data=active2, num_hidden=10, name="fc3")
    return mx.sym.SoftmaxOutput(data=scores, name="softmax")


def train(
    data: dict,
    *,
    batch_size: int = 100,
    epochs: int = 10,
    learning_rate: float = 0.11,
    num_cpus: int = 1,
    num_gpus: int = 0,
) -> mx.mod.Module:
    """Train as the notebook does: ``Module.fit`` over ``NDArrayIter`` with the metric ``acc``.

    Args:
        data: the dictionary of ``mx.test_utils.get_mnist()``.
        batch_size: images per update.
        epochs: passes over the training data.
        learning_rate: of plain SGD.
        num_cpus: CPU contexts, used when there is no GPU.
        num_gpus: GPUs, data parallel.

    Returns:
        The trained module.
    """
    training = mx.io.NDArrayIter(data["train_data"], data["train_label"], batch_size, shuffle=True)
    validation = mx.io.NDArrayIter(data["test_data"], data["test_label"], batch_size)
    context = [mx.gpu(i) for i in range(num_gpus)] if num_gpus else [mx.cpu(i) for i in range(num_cpus)]
    model = mx.mod.Module(symbol=build_graph(), context=context)
    model.fit(
        training,
        eval_data=validation,
        kvstore="local",
        optimizer="sgd",
        optimizer_params={"learning_rate": learning_rate},
        eval_metric="acc",
        num_epoch=epochs,
    )
    return model
