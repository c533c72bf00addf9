"""The pipeline: what happens to one study. No network, no database, no HTTP, no environment."""
