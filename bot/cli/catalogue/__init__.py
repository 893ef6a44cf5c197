"""Commands about databases and images."""
