"""Retrieval: one modality looked up by another in a joint space."""
