"""What workers take out of the inbox."""
