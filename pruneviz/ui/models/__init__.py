"""Which model answers: its box, changing it, and what it knows."""
