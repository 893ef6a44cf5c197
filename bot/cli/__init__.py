"""The command line: each command reads its arguments and settings, calls one service and prints the result."""
