"""Compact training of the two phases in the published model formats."""
