"""The documentation's pages, and what fills them from the code."""
