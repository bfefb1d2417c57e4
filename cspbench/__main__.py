"""`python -m cspbench`, as torchrun starts it."""

from cspbench.cli.app import main

main()
