"""`train`, and what `show` prints of training: recipes and assignments."""
