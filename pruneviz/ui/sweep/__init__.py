"""The Sweep tab: curves over budgets and break points."""
