"""Endpoints for programs, apart from the page."""
