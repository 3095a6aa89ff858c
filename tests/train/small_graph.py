"""The entry point of the small trials: a perceptron of one hidden layer for four classes."""

GRAPH = """
import mxnet as mx

def build_graph(hidden=8):
    data = mx.sym.flatten(mx.sym.var("data"))
    active = mx.sym.Activation(mx.sym.FullyConnected(data, num_hidden=hidden, name="fc1"), act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(active, num_hidden=4, name="fc2"), name="softmax")
"""
