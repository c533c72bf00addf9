"""What a person reads about a result: what it says (``content``, ``flags``), how a page looks."""
