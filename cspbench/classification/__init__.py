"""Classifiers: predictions from outputs, accuracy, and what each step of preprocessing moves."""
