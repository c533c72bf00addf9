"""The house around the pipeline: command line, graph, models, set-up."""
