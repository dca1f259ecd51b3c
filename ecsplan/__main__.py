"""`python -m ecsplan`."""

from ecsplan.cli import main

main()
