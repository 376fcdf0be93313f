"""Sheets of a store's trials as one page, to look at before training (`visuotactile look`)."""

from visuotactile.look.sheet import look

__all__ = ["look"]
