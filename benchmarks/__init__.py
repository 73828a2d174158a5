"""Named commands that make the recorded results: `python -m benchmarks.NAME`."""
