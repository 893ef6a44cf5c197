"""Send replies to the response URLs of commands and buttons."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.blocks.reply import Reply
from bot.blocks.wording.errors import DELIVERY_UNKNOWN
from bot.domain.errors import UserError
from handlers.replies.delivery.attempts import BLOCK_ERRORS, checked, first_blocks, simpler_blocks
from handlers.slack.proxies import proxy_for
from handlers.slack_errors import UNREACHABLE

log = logging.getLogger(__name__)

RESPONSE_TIMEOUT_S = 10
HTTP_OK = 200

# Slack sends some refusals with status 200.
_REFUSED = re.compile(r'"ok"\s*:\s*false')


class DeliveryUnknown(UserError):
    """It is unknown whether Slack posted the message."""

    def __init__(self) -> None:
        super().__init__(DELIVERY_UNKNOWN)


async def respond(
    response_url: str, reply: Reply, *, public: bool = False, replace: bool = False, thread_ts: str = ""
) -> bool:
    """Send a reply to a response URL, which takes five within 30 minutes. Return whether it took this one.

    Raises DeliveryUnknown.
    """
    body: dict[str, Any] = {
        "text": reply.text,
        "response_type": "in_channel" if public else "ephemeral",
        "replace_original": replace,
    }
    if thread_ts:
        body["thread_ts"] = thread_ts
    status = 0
    blocks = first_blocks(reply)
    while True:
        try:
            async with checked():
                status, problem = await _send_webhook(
                    response_url, body | ({} if blocks is None else {"blocks": list(blocks)})
                )
        except TimeoutError as error:
            raise DeliveryUnknown from error
        if status == HTTP_OK and not _REFUSED.search(problem):
            return True
        if blocks is None or not any(code in problem for code in BLOCK_ERRORS):
            break
        log.warning("Slack refused the blocks at a response URL: sending less")
        blocks = simpler_blocks(blocks, problem if "[ERROR]" in problem else "")
    # The answer's text may repeat the message, so it is not logged.
    log.warning("a response URL answered %s", status)
    if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise DeliveryUnknown
    return False


async def delete_original(response_url: str) -> None:
    """Delete the ephemeral message that a button was pressed in."""
    await _send_webhook(response_url, {"delete_original": True})


async def _send_webhook(response_url: str, body: dict[str, Any]) -> tuple[int, str]:
    """Return status and text of the answer; status 0 if there was none."""
    # No retry after lost connections: Slack may have posted the message already.
    webhook = AsyncWebhookClient(
        response_url, timeout=RESPONSE_TIMEOUT_S, retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=2)]
    )
    webhook.proxy = proxy_for(response_url)
    try:
        answer = await webhook.send_dict(body)
    except UNREACHABLE as error:
        log.warning("a response URL did not answer (%s)", type(error).__name__)
        return 0, ""
    return answer.status_code, answer.body
