"""The parts of the Slack app.

``dependencies`` builds what listeners and jobs share, ``listeners`` what Slack's deliveries run, and ``workers`` what
runs in the background. ``bot.app.slack_app`` puts them together.
"""
