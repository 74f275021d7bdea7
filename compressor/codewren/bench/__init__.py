"""Benchmarks that a user can repeat: real code, competitors in turn, the machine described."""
