"""Downloads of Slack files and of pictures at URLs that users give."""
