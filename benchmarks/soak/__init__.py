"""A server under hostile and clumsy use: ``python -m benchmarks.soak``."""
