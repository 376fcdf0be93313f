"""The demo, and its configurations."""
