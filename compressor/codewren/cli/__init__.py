"""The command `compress`: one file per verb; each parses, loads, calls, prints."""
