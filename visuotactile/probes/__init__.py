"""Probes: evaluation of a frozen encoder's features beside the baselines (`visuotactile probe`)."""
