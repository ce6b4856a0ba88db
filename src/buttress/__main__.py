"""`python -m buttress`: the command line without its script."""

from buttress.cli import main

main()
