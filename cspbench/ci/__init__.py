"""Results held against a baseline, for a gate."""
