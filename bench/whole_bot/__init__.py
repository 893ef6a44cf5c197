"""Benchmarks of the whole bot, as a process or against a stand-in for Slack."""
