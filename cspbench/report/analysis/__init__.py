"""What a detector's errors cost it, in words, tables and on the page."""
