"""The Ask tab: one question with and without pruning, its canvas, exports and links."""
