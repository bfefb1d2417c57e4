"""Darknet's training: the network in training mode, its losses, optimiser and iterations (spec training)."""
