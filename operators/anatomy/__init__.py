"""What the numbers mean: labels, vertebrae, codes, colours. Standard library only."""
