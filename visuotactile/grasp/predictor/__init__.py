"""The outcome predictor: network, training, calibration, file."""
