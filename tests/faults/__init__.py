"""Evaluations under faults: kills, full disks, changed directories, interrupts."""
