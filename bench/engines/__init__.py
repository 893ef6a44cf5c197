"""Search engines outside this process, against their own clients."""
