"""Small errors put into copies of the code: every one must make a test fail."""
