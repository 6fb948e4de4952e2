"""Faster ways of the kernels: CPU threads, chunks, reused memory."""
