"""Options, output, progress and exit codes of all commands."""
