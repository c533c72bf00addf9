"""What the node knows: one SQL database, its states, and every transaction that crosses rooms."""
