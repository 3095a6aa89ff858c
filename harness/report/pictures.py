"""Test images as pictures: PNG inside ``data:`` URIs, so that a page needs no other file."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDES = range(4, 513)
"""Heights and widths that are taken for pictures."""

LARGEST = 128
"""Longest side of an embedded picture, in pixels; larger images are made smaller."""

_CHANNELS = (1, 3)
_FLAT, _DEEP = 3, 4  # dimensions without and with channels


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Images that can be shown.

    Attributes:
        images: (m, h, w) grey, or (m, c, h, w) with one or three channels.
        low: the value shown as black: the lowest of all images, so that they can be compared.
        high: the value shown as white.
    """

    images: NDArray[Any]
    low: float
    high: float

    @classmethod
    def of(cls, images: NDArray[Any] | None, count: int) -> Pictures | None:
        """The images as pictures, or None if they do not look like ``count`` pictures.

        Pictures are numbers of shape (m, 1, h, w) or (m, h, w), grey, or (m, 3, h, w), colour, with sides in `SIDES`.
        """
        if images is None or len(images) != count or not _looks_like_pictures(images):
            return None
        low, high = _finite_range(images)
        return cls(images=images, low=low, high=high)

    def data_uri(self, index: int) -> str:
        """One image as ``data:image/png;base64,...``."""
        from PIL import Image

        span = self.high - self.low or 1.0
        shares = np.nan_to_num((self.images[index].astype(np.float64) - self.low) / span, posinf=1.0, neginf=0.0)
        pixels = (shares.clip(0, 1) * 255).round().astype(np.uint8)
        # PIL takes channels last, and none at all for grey.
        picture = Image.fromarray(np.moveaxis(pixels, 0, -1).squeeze() if pixels.ndim == _FLAT else pixels)
        picture.thumbnail((LARGEST, LARGEST))
        stream = io.BytesIO()
        picture.save(stream, format="PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _looks_like_pictures(images: NDArray[Any]) -> bool:
    if images.dtype.kind not in "biuf" or images.ndim not in (_FLAT, _DEEP):
        return False
    channels = images.shape[1] if images.ndim == _DEEP else 1
    return channels in _CHANNELS and all(side in SIDES for side in images.shape[-2:])


def _finite_range(images: NDArray[Any]) -> tuple[float, float]:
    low, high = float(images.min()), float(images.max())
    if np.isfinite([low, high]).all():
        return low, high
    finite = images[np.isfinite(images)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
