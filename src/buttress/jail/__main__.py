"""`python -m buttress.jail DESCRIPTOR`: the keeper, started by `buttress.jail.jailed`."""

from buttress.jail.serve import main

main()
