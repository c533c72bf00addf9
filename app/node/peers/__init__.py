"""What the node asks of others: C-ECHO, C-STORE, C-FIND, C-MOVE; STOW-RS and QIDO-RS."""
