"""Downloads of weight files: where they are offered, how bytes arrive, and what is checked before one is named."""
