"""COCO's average precision: matching, precision and recall, bootstrap intervals."""
