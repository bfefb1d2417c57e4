"""The commands that evaluate, score and compare, and what they print."""
