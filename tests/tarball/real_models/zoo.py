"""The networks of Gluon's model zoo, without their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from real_models.model import ZOO, Made

if TYPE_CHECKING:
    from real_models.model import Builder


def from_the_zoo(name: str, size: int) -> Builder:
    """A net of Gluon's model zoo for square pictures."""
    return lambda mx: Made(getattr(mx.gluon.model_zoo.vision, name)(classes=10), (1, 3, size, size))


SIZES = {
    "resnet18_v1": 64,
    "resnet18_v2": 64,
    "mobilenet0_25": 64,
    "mobilenet_v2_0_25": 64,
    "squeezenet1_1": 224,
    "densenet121": 224,
    "inception_v3": 299,
}
"""Side of the smallest picture that each can take, or nearly; slower than the others, tens of megabytes each."""

ZOO.update({name: from_the_zoo(name, size) for name, size in SIZES.items()})
