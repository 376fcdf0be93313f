"""Hands of the simulated lab."""
