"""Which version of Headrace this is."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("headrace")
except PackageNotFoundError:  # run from a source tree that is not installed
    VERSION = "(not installed)"
