"""The formats of a diff; each has `write(diff, stream)`."""
