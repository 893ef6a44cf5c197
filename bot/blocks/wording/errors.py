"""Sentences for failures and delays: what happened, and what to do."""

from __future__ import annotations

DID_NOT_WORK = "That didn't work."
"""For errors that have no text of their own."""

FAILED = "Something went wrong on my side. Please try again in a minute."
SLACK_BUSY = "Slack is having trouble right now. Please try again in a minute."
STILL_WORKING = "Still working on it…"
STATUS = "is looking at the image…"
"""Slack shows it below the thread, after the bot's name."""

NOT_STARTED_YET = "This is taking a while to start. You'll hear from me as soon as it's done."
STILL_RETRYING = "The image search can't be reached right now. I'll keep trying for a while and answer once it's back."
DELIVERY_UNKNOWN = "I can't tell whether Slack posted that. Check the channel before you try again."

STALE_BUTTON = "That button is out of date. Please search again."
OTHER_ORGANISATION = "These buttons only work for members of the workspace that I belong to."
OTHER_WORKSPACE = "I belong to another workspace. Ask whoever runs me to set up an app for yours."
