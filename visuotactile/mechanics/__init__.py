"""Mechanics that the simulated lab and the estimators share: Hertz's contact, and the Shore scales."""
