"""What makes a result this result: UIDs, stacks, model and settings, kinds of objects."""
