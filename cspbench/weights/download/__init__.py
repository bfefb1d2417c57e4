"""Downloads of weight files: where they are offered, how bytes come, and what is checked before a file gets its name."""
