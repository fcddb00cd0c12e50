"""What the daemon packs is what the client unpacks, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.calls import messages
from headrace_ingest import packing
from headrace_ingest.packing import history_chunks, pack
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.segments.logged import Columns

words = st.integers(0, 255) | st.integers(0, 255).map(lambda low: 0x7FF8_0000_0000_0000 | low << 40)
columns = st.lists(st.tuples(*[words | st.integers(0, 2**64 - 1)] * 3), max_size=30)


@given(columns, st.booleans(), st.integers(1, 30))
def test_histories(points: list[tuple[int, int, int]], packed: bool, cut: int) -> None:
    step, timestamp, value = np.array(points, np.uint64).reshape(-1, 3).T.copy()
    whole = Columns(step.view(np.int64), timestamp.view(np.int64), value.view(np.float64))
    parts = [
        Columns(whole.step[part], whole.timestamp[part], whole.value[part])
        for part in (slice(cut), slice(cut, None))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "CHUNK", 7)
        chunks = [pb.HistoryChunk.FromString(data) for data in history_chunks(parts, packed=packed)]
    assert all(chunk.packed <= 7 for chunk in chunks)
    read = messages.columns(chunks)
    assert [column.tobytes() for column in read] == [column.tobytes() for column in whole]


def test_equal_bytes_are_sent_once() -> None:
    assert len(pack(np.arange(1000) + (1 << 40))) == 8 + 1 + 2 * 1000
    assert len(pack(np.full(1000, np.nan))) == 8 + 1
    assert len(pack(np.random.default_rng(1).normal(size=1000))) == 8 + 1 + 8 * 1000
