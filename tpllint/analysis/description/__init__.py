"""What `tpllint describe` tells: one module per part of the anatomy, put together in `assembly`."""
