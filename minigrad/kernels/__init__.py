"""Pure functions on arrays, forward and backward, each beside its naive twin. No tensors here."""
