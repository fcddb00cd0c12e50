"""Percentiles of samples."""


def percentile(samples: list[int], percent: float) -> int:
    """The nearest-rank percentile."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
