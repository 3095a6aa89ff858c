"""Models as people build them with MXNet 1.9.1, by name: what AWS's handler serves, and what it cannot.

`build` writes one of them into a folder as the container reads it.
"""

from real_models import exported, perceptrons_and_pictures, sequences, unservable, zoo  # noqa: F401 - they fill the lists
from real_models.model import REFUSED, SERVED, ZOO, build, shapes_of_mxnet

__all__ = ["REFUSED", "SERVED", "ZOO", "build", "shapes_of_mxnet"]
