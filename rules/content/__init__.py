"""Roles and content: what happens to the messages themselves."""
