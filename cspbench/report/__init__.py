"""Verdicts on the published numbers, and the reports that show them; torch is never imported here."""
