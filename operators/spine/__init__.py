"""The algorithms on label maps, NumPy only: clean-up, splitting, merging, post-processing."""
