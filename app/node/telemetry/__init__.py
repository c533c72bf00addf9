"""What the node tells about itself: numbered events and metrics, free of patient data."""
