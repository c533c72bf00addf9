"""Measurements of a spine on its label maps: lengths, areas, volumes, angles, and their reasons."""
