"""`python -m codewren` is `compress`."""

from codewren.cli import main

main()
