"""What can be asked of the daemon: the one source of signatures and docstrings of both clients.

A function here becomes a method of :class:`headrace.Client` and :class:`headrace.AsyncClient`, maybe also a
function of ``headrace`` (``faces.py`` makes them). It checks the arguments and returns a :class:`Question`:
requests, and how to read the answers, without I/O. ``call.py`` asks it; ``messages.py`` reads the answers.
"""

from headrace.calls.call import Call, Pages, Question, Talk

__all__ = ["Call", "Pages", "Question", "Talk"]
