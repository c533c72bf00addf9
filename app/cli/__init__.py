"""The console script: one module per group of commands."""
