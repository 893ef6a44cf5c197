"""Options, output, progress and exit codes that all commands share."""
