"""Figures: trade-offs, sweeps, residuals, networks, and pictures of detections."""
