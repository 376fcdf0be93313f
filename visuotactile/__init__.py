"""Self-supervised learning from touch, sight and sound for robot grasping."""

__version__ = "0.1.0"
