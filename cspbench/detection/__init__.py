"""Detectors: boxes from outputs, suppression, result files, and COCO's average precision."""
