"""Training data from the masks of several programs. No torch."""
