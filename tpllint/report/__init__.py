"""Writers of reports: each takes reports and a stream, and decides nothing.

A module for `check` has a `Writer` that is handed one report after the other and told the end, and `write` for a single one.
"""
