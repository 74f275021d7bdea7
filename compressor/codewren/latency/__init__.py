"""Latency as the user feels it: measured on this CPU, and predicted for any architecture."""
