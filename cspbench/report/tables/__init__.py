"""The tables that each command prints, built from rows and results."""
