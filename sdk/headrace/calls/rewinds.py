"""Questions about what was hidden of a run by resuming it from a step."""

from headrace import values
from headrace.calls.call import Call, Question
from headrace.entities import Rewind
from headrace.errors import InvalidArgumentError
from headrace_proto.v1 import tracking_pb2 as pb

_MOST = 2**31 - 1


def list_rewinds(run_id: str) -> Question[list[Rewind]]:
    """The rewinds of a run, undone ones too, oldest first."""

    def read(response: pb.ListRewindsResponse) -> list[Rewind]:
        return [_rewind(entry) for entry in response.rewinds]

    return Call("ListRewinds", pb.ListRewindsRequest(run_id=values.run_to_ask(run_id)), read)


def undo_rewind(run_id: str, number: int) -> Question[Rewind]:
    """Shows what a rewind hid; points that were logged since stay. ``NotFoundError``: there is no such one.

    Args:
        run_id: the run.
        number: the rewind's, as :func:`list_rewinds` gives it.
    """
    return _change(run_id, number, undone=True)


def redo_rewind(run_id: str, number: int) -> Question[Rewind]:
    """Hides again what an undone rewind hid. Arguments as in :func:`undo_rewind`."""
    return _change(run_id, number, undone=False)


def _change(run_id: str, number: int, *, undone: bool) -> Question[Rewind]:
    if type(number) is not int or not 1 <= number <= _MOST:
        raise InvalidArgumentError("number", f"is {number!r}; expected an integer from 1 on")
    request = pb.ChangeRewindRequest(run_id=values.run_to_ask(run_id), number=number, undone=undone)
    return Call("ChangeRewind", request, _rewind)


def _rewind(entry: pb.ListRewindsResponse.Entry) -> Rewind:
    undone_at = entry.undone_at if entry.HasField("undone_at") else None
    return Rewind(entry.number, entry.step, entry.token, entry.created_at, undone_at)
