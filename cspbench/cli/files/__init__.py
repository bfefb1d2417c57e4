"""The commands that check, fetch and write files: `data`, `weights`, `tables`."""
