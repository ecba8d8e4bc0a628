"""Reports of `tpllint review`: each writes a review into a stream, and decides nothing."""
