"""The ingest service: opens writers for streams, fences their earlier holders, drains."""

import asyncio
from functools import partial
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

import grpc
from google.protobuf.message import DecodeError

from headrace_ingest.activity import Activity
from headrace_ingest.admission import Claim, RefusedError
from headrace_ingest.attendance import Attendance
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.committer import Committer
from headrace_ingest.kept import Budget, Share
from headrace_ingest.lane import Lane
from headrace_ingest.outbox import Outbox
from headrace_ingest.retry import persistently
from headrace_ingest.status import told
from headrace_ingest.stream import Stream
from headrace_proto.v1.ingest_pb2 import ClientMessage, Refused, ServerMessage
from headrace_storage.catalog.writers import Writers
from headrace_storage.errors import WriterRefusedError
from headrace_storage.failpoints import failpoint
from headrace_storage.model import OpenedWriter


class IngestService:
    """``headrace.v1.Ingest``."""

    NAME = "headrace.v1.Ingest"

    def __init__(
        self,
        writers: Writers,
        committer: Committer,
        activity: Activity,
        attendance: Attendance,
        bounds: Bounds = DEFAULTS,
    ) -> None:
        self._writers = writers
        self._attendance = attendance
        self._committer = committer
        self._activity = activity
        self._bounds = bounds
        self._budget = Budget(bounds.kept)
        self._streams: set[Stream] = set()
        self._lanes = WeakValueDictionary[UUID, Lane]()
        # One at a time, so that many at once cannot take all connections to the database, and so that the
        # order of epochs is the order in which lanes are replaced.
        self._opening = asyncio.Semaphore(1)

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server serves."""
        stream = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=_parse, response_serializer=ServerMessage.SerializeToString
        )
        return grpc.method_handlers_generic_handler(self.NAME, {"Stream": stream})

    def drain(self) -> None:
        """Has all streams end, each once what it read is acknowledged."""
        for stream in self._streams:
            stream.drain()

    async def _stream(self, _: Any, context: Any) -> None:
        if len(self._streams) >= self._bounds.streams:
            message = f"all streams are open, the bound is {self._bounds.named('streams')}"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, message)
        stream = Stream(context, self._committer, self._open, self._bounds, self._budget)
        self._streams.add(stream)
        try:
            with self._activity.busy():
                async with told(context):
                    await stream.run()
        finally:
            self._streams.remove(stream)

    async def _open(self, handle: int, claim: Claim, outbox: Outbox, share: Share) -> Lane:
        """Claims the writer; whoever had it in this process hears of it at once."""
        async with self._opening:
            try:
                opened = await persistently("opening a writer", partial(self._claim, claim))
            except WriterRefusedError as error:
                raise RefusedError(Refused.STALE, str(error)) from error
            if before := self._lanes.get(claim.writer):
                before.fence(claim.shipper)
            lane = self._lanes[claim.writer] = Lane(
                handle, claim, opened, outbox, self._attendance, bounds=self._bounds, share=share
            )
        outbox.opened(handle, opened)
        return lane

    async def _claim(self, claim: Claim) -> OpenedWriter:
        await failpoint("open.before")
        opened = await self._writers.open(
            claim.writer, claim.shipper, claim.open_number, claim.labels, claim.known_reject
        )
        await failpoint("open.after")
        return opened


def _parse(data: bytes) -> ClientMessage:
    """The message; an empty one, which the stream answers, when it cannot be parsed."""
    try:
        return ClientMessage.FromString(data)
    except DecodeError:
        return ClientMessage()
