"""``vsearch doctor``: its checks, one subject in each module."""
