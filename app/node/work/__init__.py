"""What is to do: is a series complete, is it ours, and the durable workflows that do the work."""
