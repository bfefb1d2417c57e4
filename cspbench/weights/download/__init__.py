"""Downloads of weight files: links, transfers, and the checks before a file gets its name."""
