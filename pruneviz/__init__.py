"""PruneViz: see, measure and use visual-token pruning for vision-language models."""
