"""Writers of reports: each takes a report and a stream, and decides nothing."""
