"""The warm inference process: its protocol, the child itself, and who looks after it."""
