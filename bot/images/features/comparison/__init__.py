"""Comparisons of two aligned pictures: their structure, small print, colours and drawings."""
