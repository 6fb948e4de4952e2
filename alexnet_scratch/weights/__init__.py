"""Weights of other programs: read without them, and written for them."""
