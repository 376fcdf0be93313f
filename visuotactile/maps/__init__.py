"""Maps: features of encoders and joint spaces in the plane (`visuotactile map`)."""
