"""Networks that are torch modules of their own, not lists of Darknet's layers, and what all networks have in common."""
