"""The house around the pipeline: command line, graph, models, set-up."""

__version__ = "0.2.0"
