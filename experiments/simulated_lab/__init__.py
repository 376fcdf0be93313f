"""The simulated lab: how much touch adds there."""
