"""Security: what a stranger's template can do to whoever runs or reads it."""
