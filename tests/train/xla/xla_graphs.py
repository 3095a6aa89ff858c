"""Entry points for 4x4 images of four classes that use more than a perceptron does."""

LENET = """
import mxnet as mx

def build_graph():
    data = mx.sym.var("data")
    first = mx.sym.Convolution(data, kernel=(3, 3), pad=(1, 1), num_filter=4, name="conv1")
    pooled = mx.sym.Pooling(mx.sym.Activation(first, act_type="tanh"), pool_type="max", kernel=(2, 2), stride=(2, 2))
    hidden = mx.sym.Activation(mx.sym.FullyConnected(mx.sym.flatten(pooled), num_hidden=8, name="fc1"), act_type="tanh")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=4, name="fc2"), name="softmax")
"""

BATCH_NORM = """
import mxnet as mx

def build_graph():
    data = mx.sym.var("data")
    first = mx.sym.Convolution(data, kernel=(3, 3), pad=(1, 1), num_filter=3, no_bias=True, name="conv1")
    normal = mx.sym.BatchNorm(first, fix_gamma=False, name="bn1")
    active = mx.sym.Activation(normal, act_type="relu")
    second = mx.sym.Convolution(active, kernel=(3, 3), pad=(1, 1), num_filter=3, name="conv2")
    second = mx.sym.BatchNorm(second, name="bn2")
    joined = mx.sym.flatten(mx.sym.Activation(second + first, act_type="relu"))
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(joined, num_hidden=4, name="fc"), name="softmax")
"""

DROPOUT = """
import mxnet as mx

def build_graph():
    hidden = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.var("data")), num_hidden=32, name="fc1")
    kept = mx.sym.Dropout(mx.sym.Activation(hidden, act_type="relu"), p=0.3)
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(kept, num_hidden=4, name="fc2"), name="softmax")
"""

TRICKY = """
import mxnet as mx

def build_graph():
    weight = mx.sym.var("fc1_weight", init=mx.init.Xavier(), lr_mult=0.5, wd_mult=2.0)
    frozen = mx.sym.var("fc2_weight", init=mx.init.Normal(0.1), lr_mult=0.0)
    # Frozen: MXNet 1.9.1 overwrites the gradient above a prelu in place before it computes the slope's from it.
    slope = mx.sym.var("slope", init=mx.init.Constant(0.25), lr_mult=0.0)
    hidden = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.var("data")), weight=weight, num_hidden=8, name="fc1")
    hidden = mx.sym.LeakyReLU(hidden, gamma=slope, act_type="prelu")
    hidden = mx.sym.FullyConnected(hidden, weight=frozen, num_hidden=8, name="fc2")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=4, name="fc3"), name="softmax")
"""
