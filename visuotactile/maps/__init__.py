"""Maps: features of encoders drawn in the plane."""
