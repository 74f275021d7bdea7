"""Finalists: choose among a search's candidates by what they learn from the user's own data."""
