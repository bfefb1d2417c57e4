"""What the documents claim, how their numbers are rounded, and the verdict on a measurement."""
