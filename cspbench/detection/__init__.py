"""Detectors: decoding, NMS, result files, and COCO's average precision."""
