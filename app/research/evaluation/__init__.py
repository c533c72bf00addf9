"""Predictions against references: definitions, statistics, tables and a report. No torch."""
