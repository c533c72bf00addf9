"""People and programs that use the page: roles, passwords, tokens, sessions, and who is who."""
