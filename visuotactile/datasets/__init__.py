"""What a trial is, how trials are stored and read, public datasets, and splits."""
