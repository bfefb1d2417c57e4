"""Stored times of forward passes and of what goes with them: records, medians, ratios, cells."""
