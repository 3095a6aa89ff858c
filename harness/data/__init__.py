"""Data sets as numpy arrays: where they come from, what they must be, and the cache that keeps them.

`harness.data.mnist.mnist` and `harness.data.arrays.arrays` make the values that ``Experiment(dataset=...)`` takes.
"""
