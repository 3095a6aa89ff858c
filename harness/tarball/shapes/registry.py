"""All rules, by MXNet's own name of the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.elementwise import ELEMENTWISE
from harness.tarball.shapes.joining import JOINING
from harness.tarball.shapes.layers import LAYERS
from harness.tarball.shapes.losses import LOSSES
from harness.tarball.shapes.moving import MOVING
from harness.tarball.shapes.normalization import NORMALIZATION
from harness.tarball.shapes.pooling import POOLING
from harness.tarball.shapes.products import PRODUCTS
from harness.tarball.shapes.recurrent import RECURRENT
from harness.tarball.shapes.reductions import REDUCTIONS
from harness.tarball.shapes.slicing import SLICING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.tarball.shapes.rule import Rule

RULES: Mapping[str, Rule] = {
    name: rule
    for family in (
        ELEMENTWISE,
        JOINING,
        LAYERS,
        LOSSES,
        MOVING,
        NORMALIZATION,
        POOLING,
        PRODUCTS,
        RECURRENT,
        REDUCTIONS,
        SLICING,
    )
    for name, rule in family.rules.items()
}
