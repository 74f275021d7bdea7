"""`python -m codewren` is `compress`."""

from codewren.cli.app import main

main()
