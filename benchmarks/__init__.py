"""Measurements that need more than the library: run them from a checkout."""
