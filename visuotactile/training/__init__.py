"""Parts of all training: command line, base module, schedule, checkpoints, monitors, export, runs."""
