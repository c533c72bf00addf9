"""The files the node holds: spool and retention."""
