"""Transfer of frozen encoders to real touch: two real sets, against every row that must be beaten."""
