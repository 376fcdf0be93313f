"""More Than a Feeling: predictors, calibration and the closed loop, simulated."""
