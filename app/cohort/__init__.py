"""A data set in one command: one durable workflow per subject and session, results in BIDS layout.

Above the node, whose inference process and engine it uses; below the commands.
"""
