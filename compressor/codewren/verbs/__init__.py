"""The verbs as functions on a run directory; the command line parses, calls and prints."""
