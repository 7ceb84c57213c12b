"""The Compare tab: several methods under one budget, side by side."""
