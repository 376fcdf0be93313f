"""Presses on soft and hard silicone: a soft–soft Hertz contact felt through a gel."""
