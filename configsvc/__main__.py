"""`python -m configsvc` is `configsvc`."""

from configsvc.cli import main

main(prog_name="configsvc")
