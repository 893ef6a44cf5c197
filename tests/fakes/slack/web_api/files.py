"""``files.*``: file info, and the three steps of an upload."""

from __future__ import annotations

from aiohttp import web

from tests.fakes.slack.blocks.validation import bot_may_see, refusal_of_message
from tests.fakes.slack.files import hosted, processing_stub
from tests.fakes.slack.payloads import share_event
from tests.fakes.slack.values import Channel, HostedFile, Json, Message, Token, Upload
from tests.fakes.slack.web_api.arguments import Method, Refused, WebApiMethods


class FileMethods(WebApiMethods):
    """Files of people and of the bot."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "files.info": self._info,
            "files.delete": self._delete,
            "files.getUploadURLExternal": self._announce,
            "files.completeUploadExternal": self._complete,
        }

    async def _info(self, args: Json, token: Token) -> Json:
        file = self._file(args, token)
        if file.stub is not None and file.stubs > 0:
            file.stubs -= 1
            return {"file": file.stub}
        return {"file": file.info | {"shares": self._shares(file)}}

    def _shares(self, file: HostedFile) -> Json:
        """Return the messages that have the file, by kind and channel."""
        shares: Json = {}
        for message in self.state.messages:
            if any(one.id == file.id for one in message.files):
                kind = "public" if self.state.channels[message.channel].kind == "public" else "private"
                shares.setdefault(kind, {}).setdefault(message.channel, []).append({"ts": message.ts})
        return shares

    async def _delete(self, args: Json, token: Token) -> Json:
        file = self._file(args, token)
        if file.info.get("user") != token.workspace.bot_user:
            raise self.fault("cant_delete_file", f"{file.id} is not the bot's own")
        file.deleted = True
        event = {"type": "file_deleted", "file_id": file.id, "event_ts": self.state.ts()}
        self.state.cause(token.workspace, event)
        return {}

    def _file(self, args: Json, token: Token) -> HostedFile:
        file = self.state.files.get(str(args.get("file") or ""))
        if file is None:
            raise Refused("file_not_found")
        if file.workspace not in token.workspaces:
            raise self.fault("file_not_found", f"{file.id} is another workspace's")
        if file.deleted:
            raise Refused("file_deleted")
        if not bot_may_see(self.state, file):
            raise Refused("file_not_found")
        return file

    async def _announce(self, args: Json, token: Token) -> Json:
        self.require(args, "filename", "length")
        upload = Upload(
            f"F{self.state.number():04d}",
            args["filename"],
            int(args["length"]),
            token.workspace,
            str(args.get("alt_txt") or ""),
        )
        self.state.uploads[upload.id] = upload
        return {"file_id": upload.id, "upload_url": f"{self.state.base_url}upload/v1/{upload.id}"}

    async def _complete(self, args: Json, token: Token) -> Json:
        self.require(args, "files")
        where = str(args.get("channel_id") or args.get("channels") or "")
        channel = self.joined({"channel": where}, token) if where else None
        files = [self._completed(item, token) for item in args["files"]]
        if channel is not None:
            await self._share(files, channel, args)
        return {"files": [{"id": file.id, "title": file.info["title"]} for file in files]}

    def _completed(self, item: Json, token: Token) -> HostedFile:
        upload = self.state.uploads.get(item.get("id", ""))
        if upload is None or upload.content is None or upload.completed or upload.workspace not in token.workspaces:
            raise self.fault("file_not_found", f"nothing was uploaded as {item.get('id')}, or it is complete")
        upload.completed = True
        file = hosted(self.state, upload.id, upload.name, upload.content, upload.workspace)
        file.info |= {"user": upload.workspace.bot_user, "title": item.get("title") or upload.name, "is_public": False}
        if upload.alt_text:
            file.info["alt_txt"] = upload.alt_text
        if self.state.processing_looks:
            file.stub, file.stubs = processing_stub(file.info), self.state.processing_looks
        return file

    async def _share(self, files: list[HostedFile], channel: Channel, args: Json) -> None:
        text = str(args.get("initial_comment") or "")
        blocks = args.get("blocks")
        judged = {"text": text or "files", "blocks": blocks}
        if problem := refusal_of_message(self.state, channel.workspace, judged):
            raise self.fault(problem.split(":")[0], f"files.completeUploadExternal: {problem}")
        for file in files:
            file.channels.add(channel.id)
        message = await self.state.post(
            Message(
                channel=channel.id,
                ts=self.state.ts(),
                user=channel.workspace.bot_user,
                text=text,
                blocks=tuple(blocks or ()),
                thread_ts=str(args.get("thread_ts") or ""),
                via="files.completeUploadExternal",
                files=tuple(files),
            )
        )
        self.state.cause(channel.workspace, share_event(self.state, message))

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes for uploads."""
        return [web.post("/upload/v1/{id}", self._receive)]

    async def _receive(self, request: web.Request) -> web.Response:
        upload = self.state.uploads.get(request.match_info["id"])
        if upload is None or upload.completed:
            return web.Response(status=404)
        if request.content_type == "multipart/form-data":
            fields = [field for field in (await request.post()).values() if isinstance(field, web.FileField)]
            content = fields[0].file.read() if fields else b""
        else:
            content = await request.read()
        if len(content) != upload.length:
            self.state.fail(f"{upload.name} was announced with {upload.length} bytes and has {len(content)}")
            return web.Response(status=400, text="length mismatch")
        upload.content = content
        return web.Response(text=f"OK - {len(content)}")
