"""Kernels against plain torch: interpreted on the CPU, compiled, and on a card."""
