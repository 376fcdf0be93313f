"""An upright rectangle of pixels: what changes from one picture to the next is a part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Window:
    """Rows `top` to `bottom` and columns `left` to `right`, the ends not included."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @classmethod
    def around(cls, mask: npt.NDArray[np.bool_]) -> Window:
        """The smallest window that holds all that a `mask` [H, W] marks; an empty one for nothing."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return cls()
        return cls(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def at(self) -> tuple[slice, slice]:
        """The window as an index into a picture [H, W]."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def joined(self, other: Window) -> Window:
        """The smallest window that holds both."""
        if not (self.shape[0] and other.shape[0]):
            return self if self.shape[0] else other
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def grown(self, margin: int, shape: tuple[int, int]) -> Window:
        """This window with a margin on each side, as far as a picture of this shape has one."""
        if not self.shape[0]:
            return self
        return Window(
            max(self.top - margin, 0),
            min(self.bottom + margin, shape[0]),
            max(self.left - margin, 0),
            min(self.right + margin, shape[1]),
        )

    def merged(self, factor: int) -> Window:
        """The cells of `factor` pixels each in which the window's pixels lie."""
        return Window(
            self.top // factor, -(-self.bottom // factor), self.left // factor, -(-self.right // factor)
        )

    def scaled(self, factor: int, shape: tuple[int, int]) -> Window:
        """The pixels of a picture of this shape that lie in the window's cells of `factor` pixels each."""
        return Window(
            self.top * factor,
            min(self.bottom * factor, shape[0]),
            self.left * factor,
            min(self.right * factor, shape[1]),
        )

    def inside(self, outer: Window) -> tuple[slice, slice]:
        """This window as an index into what is cut out by the `outer` one."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )
