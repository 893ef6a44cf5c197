"""A strict stand-in for the hosted service on 127.0.0.1: its seven operations, their limits, and many failures.

``async with HostedService() as service`` listens on ``service.base_url``; ``service.environment`` has the settings for
a bot. It also runs as a process: ``python -m tests.fakes.hosted --port 8475``.

It accepts only what the OpenAPI file and the documentation allow: ``appKey`` in the query, and a form with the required
fields, no empty optional field, and valid names. It fetches and validates pictures. Similar pictures score up to 10,
and matches come unsorted. Listings page by Offset and Limit to 2,000 rows, then by Token. Where behaviour is
undocumented, it takes the harder case: the last page has a Token too, the same address twice is a second image, and
deleting a missing entity succeeds.

Failures: ``next("add", bad.html(502))`` for the next calls, ``always("search", bad.slow())``, ``behave()`` (``bad`` is
``misbehaviours``); ``hide_new_images``, ``calls_per_s`` with ``over_limit``, ``down()`` and ``up()``. With
``in_remarks``, upstream errors are inside ``remark``. Limits: ``one_database_only``, ``databases.capacity``,
``matches_at_most``, ``pictures.timeout_s``.

Inspection: ``calls``, ``calls_of``, ``fetched``, ``names``, ``images_of``. Set-up: ``fill``.
"""

from tests.fakes.hosted import misbehaviours
from tests.fakes.hosted.service import APP_KEY, DS_ID, HostedService
from tests.fakes.hosted.values import Call, Fetched, Operation, StoredImage

__all__ = ["APP_KEY", "DS_ID", "Call", "Fetched", "HostedService", "Operation", "StoredImage", "misbehaviours"]
