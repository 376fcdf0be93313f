"""What the camera sees of the lab, and where it finds the object."""
