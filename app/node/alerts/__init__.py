"""Tells people by mail and webhook that something needs them, without naming any patient."""
