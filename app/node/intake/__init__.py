"""From received series to jobs: which series are complete, and which are ours."""
