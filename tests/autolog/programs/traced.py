"""A function whose calls are traced, inside a run."""

import mlflow


@mlflow.trace  # type: ignore[untyped-decorator]  # it has no types here
def double(number: int) -> int:
    return 2 * number


with mlflow.start_run():
    mlflow.log_metric("before", 1)
    mlflow.log_metric("after", double(21))
