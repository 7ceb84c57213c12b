"""Parts of the command line: what commands have in common, and commands of some length."""
