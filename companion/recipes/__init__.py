"""Trained results, one file each: what `python -m companion train NAME` does."""
