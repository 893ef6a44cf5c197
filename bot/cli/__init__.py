"""The command line: reads arguments and settings, calls one service, prints what came of it."""
