"""The composition root: builds everything from the settings, starts it and stops it.

From the bottom up: ``storage`` opens the storage, ``back_ends`` the search back end, and ``services`` builds the
services on both. ``slack`` and ``slack_app`` build the Slack app on the services; ``bot_server`` runs it.
``api_server`` runs the visual search API on the services. Both servers share ``server_process``. ``background`` runs
jobs, maintenance and removals beside them. ``data_transfer``, ``unused_back_end`` and ``picture_server`` serve commands
that need something else.

Only ``bot.cli`` and ``bot.__main__`` may import it. ``bot.cli`` does so inside functions, because it loads slowly.
"""
