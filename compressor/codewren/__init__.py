"""codewren: from a pre-trained model of code to one of at most 3 MB."""

__version__ = "0.1.0"
