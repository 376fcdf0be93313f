"""The lab's camera: rendering, and localisation of the object in its depth image."""
