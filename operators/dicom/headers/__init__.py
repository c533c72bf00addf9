"""Attributes as they stand in a header, read without trust: values, units, physics."""
