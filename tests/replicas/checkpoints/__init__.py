"""One checkpoint a file; the test finds them by itself."""
