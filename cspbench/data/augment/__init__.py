"""Darknet's training pictures: augmentation, mixing and labels, for classifiers and detectors (spec: training, b and c)."""
