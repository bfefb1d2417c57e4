"""Predictions in resumable shards, and the metrics computed from them."""
