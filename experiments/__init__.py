"""Experiments, a package for each paper: `python -m experiments.PAPER`, from the root of the repository."""
