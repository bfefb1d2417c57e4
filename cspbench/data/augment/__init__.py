"""Darknet's training pictures and their labels, for classifiers and detectors (spec training b, c)."""
