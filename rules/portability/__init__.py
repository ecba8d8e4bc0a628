"""Portability: constructs that do not run where the template will be used."""
