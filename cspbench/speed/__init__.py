"""Latency and throughput of networks, measured in turns on this machine."""
