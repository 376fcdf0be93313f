"""Contrastive learning of grasp outcomes: Table I, on real recordings of slip."""
