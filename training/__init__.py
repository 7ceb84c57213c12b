"""Embedded model: staged training, packaging and evaluation."""
