"""Composed scenes with known truth: pictures and questions about them."""
