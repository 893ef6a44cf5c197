"""A strict stand-in for the hosted service on 127.0.0.1: the seven operations, their limits, and all that goes wrong.

``async with HostedService() as service`` listens on ``service.base_url``; ``service.environment`` has the settings for
a bot. Also as a process: ``python -m tests.fakes.hosted --port 8475``.

It takes what the OpenAPI file and the documentation allow, and nothing else: ``appKey`` in the query, a form with the
required fields and no empty optional one, names in their forms. Pictures are really fetched, and judged; alike ones
score up to 10; matches come in no order. Paging is by Offset and Limit to 2,000 rows, then by Token. What nobody has
documented is the harder case here: the last page has a Token too, the same address twice is a second image, deleting
what is not there succeeds.

What goes wrong: ``next("add", bad.html(502))`` for the next calls, ``always("search", bad.slow())``, ``behave()``
(``bad`` is ``misbehaviours``); ``hide_new_images``, ``calls_per_s`` with ``over_limit``, ``down()`` and ``up()``.
``in_remarks``: errors of the upstream come inside ``remark``. ``one_database_only``, ``databases.capacity``,
``matches_at_most``, ``pictures.timeout_s``.

To see: ``calls``, ``calls_of``, ``fetched``, ``names``, ``images_of``. Set-up: ``fill``.
"""

from tests.fakes.hosted import misbehaviours
from tests.fakes.hosted.service import APP_KEY, DS_ID, HostedService
from tests.fakes.hosted.values import Call, Fetched, Operation, StoredImage

__all__ = ["APP_KEY", "DS_ID", "Call", "Fetched", "HostedService", "Operation", "StoredImage", "misbehaviours"]
