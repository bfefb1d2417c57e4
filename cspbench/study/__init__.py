"""Reproduction studies: a table of tricks in miniature, trained with several seeds, and what can be said from it."""
