"""A strict stand-in for Slack on 127.0.0.1: Web API, Socket Mode, response URLs and file hosting."""

from tests.fakes.slack.server import FakeSlack
from tests.fakes.slack.state import HostedFile, Message

__all__ = ["FakeSlack", "HostedFile", "Message"]
