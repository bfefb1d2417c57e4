"""Checkpoints in Python's pickles, read without running or building anything of theirs."""
