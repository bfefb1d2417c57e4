"""What a run's numbers are made of."""
