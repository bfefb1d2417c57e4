"""Evaluations and counts as functions: what the command line does, for a notebook."""
