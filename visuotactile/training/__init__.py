"""What all training shares: the command line, checkpoints, monitors, distributed helpers, export, runs."""
