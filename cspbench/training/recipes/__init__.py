"""What a network is trained with: the published recipes, and that of one run."""
