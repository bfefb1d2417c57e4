"""The part of a report on networks that were trained again: never a verdict, and apart from published weights."""
