"""From masks to names: evidence, the best path through it, numbers, stations."""
