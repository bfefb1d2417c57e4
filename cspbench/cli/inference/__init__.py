"""The commands that use a model: `predict`, `export`, `speed`."""
