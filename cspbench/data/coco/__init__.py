"""Data sets in COCO's form: annotations, file names, images, checks."""
