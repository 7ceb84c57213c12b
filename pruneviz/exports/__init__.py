"""Runs of several methods as files: a figure, a table, all values."""
