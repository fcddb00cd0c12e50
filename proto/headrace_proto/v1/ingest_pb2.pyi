from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GapReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GAP_REASON_UNSPECIFIED: _ClassVar[GapReason]
    DELETED: _ClassVar[GapReason]
    HOST_CRASHED: _ClassVar[GapReason]
GAP_REASON_UNSPECIFIED: GapReason
DELETED: GapReason
HOST_CRASHED: GapReason

class ClientMessage(_message.Message):
    __slots__ = ("open", "append", "close")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    open: Open
    append: Append
    close: Close
    def __init__(self, open: _Optional[_Union[Open, _Mapping]] = ..., append: _Optional[_Union[Append, _Mapping]] = ..., close: _Optional[_Union[Close, _Mapping]] = ...) -> None: ...

class ServerMessage(_message.Message):
    __slots__ = ("opened", "ack", "refused")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    opened: Opened
    ack: Ack
    refused: Refused
    def __init__(self, opened: _Optional[_Union[Opened, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("handle", "writer_id", "shipper_id", "open_number", "known_reject", "format", "labels", "orphaned")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    WRITER_ID_FIELD_NUMBER: _ClassVar[int]
    SHIPPER_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_NUMBER_FIELD_NUMBER: _ClassVar[int]
    KNOWN_REJECT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ORPHANED_FIELD_NUMBER: _ClassVar[int]
    handle: int
    writer_id: bytes
    shipper_id: bytes
    open_number: int
    known_reject: int
    format: int
    labels: _containers.ScalarMap[str, str]
    orphaned: bool
    def __init__(self, handle: _Optional[int] = ..., writer_id: _Optional[bytes] = ..., shipper_id: _Optional[bytes] = ..., open_number: _Optional[int] = ..., known_reject: _Optional[int] = ..., format: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., orphaned: bool = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("handle", "epoch", "committed", "rejects", "credit", "columns")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    REJECTS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    handle: int
    epoch: int
    committed: int
    rejects: _containers.RepeatedCompositeFieldContainer[Reject]
    credit: int
    columns: bool
    def __init__(self, handle: _Optional[int] = ..., epoch: _Optional[int] = ..., committed: _Optional[int] = ..., rejects: _Optional[_Iterable[_Union[Reject, _Mapping]]] = ..., credit: _Optional[int] = ..., columns: bool = ...) -> None: ...

class Append(_message.Message):
    __slots__ = ("handle", "first", "definitions", "cells", "gap_to", "gap_reason", "columns")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    GAP_TO_FIELD_NUMBER: _ClassVar[int]
    GAP_REASON_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    handle: int
    first: int
    definitions: bytes
    cells: bytes
    gap_to: int
    gap_reason: GapReason
    columns: Columns
    def __init__(self, handle: _Optional[int] = ..., first: _Optional[int] = ..., definitions: _Optional[bytes] = ..., cells: _Optional[bytes] = ..., gap_to: _Optional[int] = ..., gap_reason: _Optional[_Union[GapReason, str]] = ..., columns: _Optional[_Union[Columns, _Mapping]] = ...) -> None: ...

class Columns(_message.Message):
    __slots__ = ("count", "skipped", "heads", "steps", "timestamps", "values")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    count: int
    skipped: int
    heads: bytes
    steps: Numbers
    timestamps: Numbers
    values: bytes
    def __init__(self, count: _Optional[int] = ..., skipped: _Optional[int] = ..., heads: _Optional[bytes] = ..., steps: _Optional[_Union[Numbers, _Mapping]] = ..., timestamps: _Optional[_Union[Numbers, _Mapping]] = ..., values: _Optional[bytes] = ...) -> None: ...

class Numbers(_message.Message):
    __slots__ = ("first", "stride", "each")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    EACH_FIELD_NUMBER: _ClassVar[int]
    first: int
    stride: int
    each: bytes
    def __init__(self, first: _Optional[int] = ..., stride: _Optional[int] = ..., each: _Optional[bytes] = ...) -> None: ...

class Close(_message.Message):
    __slots__ = ("handle",)
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    handle: int
    def __init__(self, handle: _Optional[int] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("handle", "committed", "rejects", "credit")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    REJECTS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    handle: int
    committed: int
    rejects: _containers.RepeatedCompositeFieldContainer[Reject]
    credit: int
    def __init__(self, handle: _Optional[int] = ..., committed: _Optional[int] = ..., rejects: _Optional[_Iterable[_Union[Reject, _Mapping]]] = ..., credit: _Optional[int] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("handle", "code", "message")
    class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CODE_UNSPECIFIED: _ClassVar[Refused.Code]
        FENCED: _ClassVar[Refused.Code]
        STALE: _ClassVar[Refused.Code]
        UNSUPPORTED_FORMAT: _ClassVar[Refused.Code]
        MALFORMED: _ClassVar[Refused.Code]
        REOPEN: _ClassVar[Refused.Code]
    CODE_UNSPECIFIED: Refused.Code
    FENCED: Refused.Code
    STALE: Refused.Code
    UNSUPPORTED_FORMAT: Refused.Code
    MALFORMED: Refused.Code
    REOPEN: Refused.Code
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    handle: int
    code: Refused.Code
    message: str
    def __init__(self, handle: _Optional[int] = ..., code: _Optional[_Union[Refused.Code, str]] = ..., message: _Optional[str] = ...) -> None: ...

class Reject(_message.Message):
    __slots__ = ("first", "end", "code", "message")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    first: int
    end: int
    code: str
    message: str
    def __init__(self, first: _Optional[int] = ..., end: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
