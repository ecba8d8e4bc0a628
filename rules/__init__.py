"""The built-in rule pack: one file per rule, in a folder per family."""
