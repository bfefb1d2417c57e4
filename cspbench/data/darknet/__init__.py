"""Data sets as Darknet keeps them: .data files, lists of images, label files and names."""
