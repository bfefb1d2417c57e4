"""Typed records of what was measured, where they are stored, and which published rows they answer."""
