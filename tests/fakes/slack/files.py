"""File objects as in Slack's API."""

from __future__ import annotations

import io
import mimetypes
import time

from PIL import Image, UnidentifiedImageError

from tests.fakes.slack.state import State
from tests.fakes.slack.values import HostedFile, Json, Workspace

RENDITIONS = (360, 480, 720, 960, 1024)


def hosted(state: State, identifier: str, name: str, content: bytes, workspace: Workspace) -> HostedFile:
    """Store a file."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    info = file_info(state, identifier, name, kind, content)
    location = f"{workspace.team}-{identifier}"
    info = {
        key: value.replace(f"{state.team}-{identifier}", location) if isinstance(value, str) else value
        for key, value in info.items()
    }
    file = HostedFile(identifier, name, content, info, workspace)
    state.files[identifier] = file
    return file


def file_info(state: State, identifier: str, name: str, mimetype: str, content: bytes) -> Json:
    """Return files.info of a file. An image has thumbnails up to its own size."""
    location = f"{state.team}-{identifier}"
    info: Json = {
        "id": identifier,
        "created": int(time.time()),
        "name": name,
        "title": name,
        "mimetype": mimetype,
        "filetype": name.rpartition(".")[2],
        "user": "U0SOMEONE",
        "size": len(content),
        "mode": "hosted",
        "is_external": False,
        "is_public": True,
        "url_private": f"{state.base_url}files-pri/{location}/{name}",
        "url_private_download": f"{state.base_url}files-pri/{location}/{name}?download=1",
        "permalink": f"{state.base_url}files/U0SOMEONE/{identifier}/{name}",
    }
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError):
        return info
    info |= {"original_w": width, "original_h": height}
    for side in RENDITIONS:
        if side <= max(width, height):
            info[f"thumb_{side}"] = f"{state.base_url}files-tmb/{location}/{side}/{name}"
    return info


def connect_stub(identifier: str) -> Json:
    """Return the stub that a Slack Connect channel has instead of a file object."""
    return {"id": identifier, "mode": "file_access", "file_access": "check_file_info", "created": 0}


def processing_stub(info: Json) -> Json:
    """Return the stub of a file that Slack is still processing: no type, thumbnails or address."""
    kept = {key: info[key] for key in ("id", "created", "name", "title", "user", "size")}
    return kept | {"mimetype": "", "filetype": "", "mode": "hosted", "url_private": ""}


def tombstone(identifier: str) -> Json:
    """Return the tombstone of a deleted file."""
    return {"id": identifier, "mode": "tombstone", "name": "", "mimetype": "", "filetype": ""}
