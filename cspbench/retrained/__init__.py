"""Networks trained again: their records, results over seeds, and what a trick gains."""
