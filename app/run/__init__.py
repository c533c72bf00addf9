"""One study, no service: what `run`, a MAP host and the inference process call."""
