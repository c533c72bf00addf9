"""Parametric spines and their MR images, for demo, tests and training. Torch, no patient data."""
