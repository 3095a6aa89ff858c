"""Which shape every tensor of a graph has, found as MXNet finds it but without MXNet.

`inference.infer` goes through the graph; a rule tells what one operator knows of its inputs and outputs. Shapes are
tuples of numbers that a stranger may have chosen: no rule does more work for a larger one.
"""
