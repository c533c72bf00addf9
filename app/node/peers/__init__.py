"""What the node asks of others: C-ECHO, C-STORE, C-FIND and C-MOVE as a service class user."""
