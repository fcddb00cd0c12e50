"""What the services that answer one request with one message share."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from headrace_ingest.activity import Activity
from headrace_ingest.bounds import Bounds
from headrace_ingest.status import told
from headrace_storage.errors import InvalidArgumentError

Unary = Callable[[Any], Awaitable[Any]]


def handlers(
    methods: Mapping[str, tuple[type[Any], Unary]], activity: Activity
) -> dict[str, grpc.RpcMethodHandler]:
    """The handlers of methods, by name: each with the type of its requests. Errors become statuses."""

    def answering(method: Unary) -> Callable[[Any, Any], Awaitable[Any]]:
        async def answer(request: Any, context: Any) -> Any:
            with activity.busy():
                async with told(context):
                    return await method(request)

        return answer

    return {
        name: grpc.unary_unary_rpc_method_handler(
            answering(method),
            request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
        for name, (request, method) in methods.items()
    }


def check_filter(bounds: Bounds, *texts: str) -> None:
    """:class:`InvalidArgumentError` when a filter with its orders is longer than ``bounds`` say."""
    length = sum(map(len, texts))
    if length > bounds.filter:
        bound = bounds.named("filter")
        raise InvalidArgumentError("filter_string", f"has {length} characters, the bound is {bound}")


def limit(max_results: int, default: int, bound: int) -> int:
    """How many results a page has: ``default`` when 0. :class:`InvalidArgumentError` beyond ``bound``."""
    if not 0 <= max_results <= bound:
        raise InvalidArgumentError("max_results", f"is {max_results}, the bounds are 0 and {bound}")
    return max_results or default
