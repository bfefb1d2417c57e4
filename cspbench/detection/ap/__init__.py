"""COCO's average precision: matching, precision over recall, intervals by bootstrap."""
