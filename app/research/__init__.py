"""Synthetic spines, training, evaluation: torch allowed, never in the image."""
