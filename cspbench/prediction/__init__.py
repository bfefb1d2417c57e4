"""What a model says of single pictures: classes with their scores, or boxes; the numbers are the evaluation's."""
