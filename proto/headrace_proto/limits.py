"""The bounds of names and values, checked by the SDK at the call and by the daemon before the commit."""

from typing import Final

MAX_KEY_LENGTH: Final = 250
"""Characters of a metric, param or tag key (MLflow's bound)."""

MAX_PARAM_LENGTH: Final = 6000
"""Characters of a param's value (MLflow's bound)."""

MAX_TAG_LENGTH: Final = 8000
"""Characters of a tag's value (MLflow's bound)."""

MAX_NAME_LENGTH: Final = 500
"""Characters of an experiment's or a run's name."""

MAX_TOKEN_LENGTH: Final = 250
"""Characters of an attempt's token."""

MAX_RUN_TAGS: Final = 1000
"""Tags that a run can be created with."""

MAX_TIMESTAMP: Final = 253_402_300_799_999
"""Milliseconds since the Unix epoch: the end of the year 9999, the last that every reader's calendar knows.
The smallest is 0, as in MLflow."""

MAX_DATASET_DIGEST: Final = 36
"""Characters of a dataset's digest (MLflow's bound)."""

DATASET_LENGTHS: Final = {
    "name": MAX_NAME_LENGTH,
    "digest": MAX_DATASET_DIGEST,
    "source_type": MAX_KEY_LENGTH,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 1_048_575,
}
"""Characters of each field of a dataset: MLflow's bounds, but of a profile MLflow takes 16 times as many."""

MAX_INPUT_TAG_LENGTH: Final = 500


def key_problem(key: str) -> str | None:
    """Why ``key`` cannot be a metric, param or tag key; ``None`` when it can."""
    if not key:
        return "is empty; give a name of 1 to 250 characters"
    if len(key) > MAX_KEY_LENGTH:
        return f"has {len(key)} characters, the bound is {MAX_KEY_LENGTH}; shorten it"
    return text_problem(key)


def text_problem(text: str, bound: int | None = None) -> str | None:
    """Why ``text`` cannot be stored (PostgreSQL refuses NUL and lone surrogates); ``None`` when it can."""
    if bound is not None and len(text) > bound:
        return f"has {len(text)} characters, the bound is {bound}; shorten it"
    if "\0" in text:
        return "holds a NUL character, which no database text can; remove it"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "holds a lone surrogate, which is not valid Unicode; encode it differently"
    return None
