"""Logs to runs, and answers when it is durable and visible."""

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from headrace_ingest.http.mlflow.shapes import answer
from headrace_ingest.http.mlflow.stages import Stages
from headrace_ingest.http.problems import Problem
from headrace_ingest.own_writer import NO_POINTS, OwnWriter, Points
from headrace_proto.v1.tracking_pb2 import RunChange

ANSWER_SECONDS: Final = 50.0
"""After so long a client is told to send again; its own patience is 120 seconds. Points count once."""

_STATUS: Final = {"RESOURCE_DOES_NOT_EXIST": 404}
"""Of what is refused; 400 otherwise."""


class RunLog:
    """What the routes that log have in common."""

    def __init__(self, writer: OwnWriter, stages: Stages) -> None:
        self._writer = writer
        self._stages = stages

    async def write(
        self,
        run_id: str,
        before: Sequence[RunChange] = (),
        points: Points = NO_POINTS,
        after: Sequence[RunChange] = (),
    ) -> Response:
        """Logs changes, points and changes, in this order, to a run that there is, and is not deleted.

        Raises:
            Problem: what was refused, and why; or the database does not answer.
        """
        run_id = await self._stages.check(run_id)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                rejects = await self._writer.log(run_id, before, points, after)
        except TimeoutError:
            message = "the database does not answer; it may be stored later: send it again"
            raise Problem(503, "TEMPORARILY_UNAVAILABLE", message) from None
        for reject in rejects:
            raise Problem(_STATUS.get(reject.code, 400), reject.code, reject.message)
        return answer({})
