"""Training: the engine protocol, its engines, and the checkpoint that comes out.

`compat` is the one place that imports MXNet.
"""
