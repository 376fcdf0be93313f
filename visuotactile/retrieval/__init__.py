"""Retrieval: cross-modal search in a joint space, and the shape of that space (`visuotactile retrieve`)."""
