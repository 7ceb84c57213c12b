"""The How much tab: many questions under methods and budgets, and how much can be pruned."""
