"""Visuotactile representations: claims of the paper, on simulated connectors and grasps."""
