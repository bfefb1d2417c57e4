"""The effect of each part of a detector's protocol on AP."""
