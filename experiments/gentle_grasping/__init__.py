"""Learning gentle grasping using vision, sound and touch, simulated."""
