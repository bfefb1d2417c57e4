"""Speed and memory of cspbench beside what it stands in for: `python -m benchmarks` measures everything."""
