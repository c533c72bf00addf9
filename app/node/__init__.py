"""The service: receive, keep, decide, segment, deliver, show."""
