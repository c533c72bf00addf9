"""The only room of the pipeline with torch: model files, networks, sliding window."""
