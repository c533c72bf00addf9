"""Where nnU-Net looks for a trainer by its name; nothing else may lie here."""
