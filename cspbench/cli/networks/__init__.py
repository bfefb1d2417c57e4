"""The commands that look up and count networks: `list`, `params`, `show`."""
