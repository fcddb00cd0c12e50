from headrace_proto.v1 import models_pb2 as _models_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATUS_UNSPECIFIED: _ClassVar[RunStatus]
    RUNNING: _ClassVar[RunStatus]
    SCHEDULED: _ClassVar[RunStatus]
    FINISHED: _ClassVar[RunStatus]
    FAILED: _ClassVar[RunStatus]
    KILLED: _ClassVar[RunStatus]

class ViewType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VIEW_TYPE_UNSPECIFIED: _ClassVar[ViewType]
    ACTIVE_ONLY: _ClassVar[ViewType]
    DELETED_ONLY: _ClassVar[ViewType]
    ALL: _ClassVar[ViewType]
RUN_STATUS_UNSPECIFIED: RunStatus
RUNNING: RunStatus
SCHEDULED: RunStatus
FINISHED: RunStatus
FAILED: RunStatus
KILLED: RunStatus
VIEW_TYPE_UNSPECIFIED: ViewType
ACTIVE_ONLY: ViewType
DELETED_ONLY: ViewType
ALL: ViewType

class Experiment(_message.Message):
    __slots__ = ("experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_LOCATION_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_STAGE_FIELD_NUMBER: _ClassVar[int]
    CREATION_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    creation_time: int
    last_update_time: int
    tags: _containers.ScalarMap[str, str]
    def __init__(self, experiment_id: _Optional[str] = ..., name: _Optional[str] = ..., artifact_location: _Optional[str] = ..., lifecycle_stage: _Optional[str] = ..., creation_time: _Optional[int] = ..., last_update_time: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("info", "metrics", "params", "tags", "dataset_inputs", "model_inputs", "model_outputs")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INFO_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DATASET_INPUTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_INPUTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    info: RunInfo
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    params: _containers.ScalarMap[str, str]
    tags: _containers.ScalarMap[str, str]
    dataset_inputs: _containers.RepeatedCompositeFieldContainer[_models_pb2.DatasetInput]
    model_inputs: _containers.RepeatedCompositeFieldContainer[_models_pb2.ModelStep]
    model_outputs: _containers.RepeatedCompositeFieldContainer[_models_pb2.ModelStep]
    def __init__(self, info: _Optional[_Union[RunInfo, _Mapping]] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., params: _Optional[_Mapping[str, str]] = ..., tags: _Optional[_Mapping[str, str]] = ..., dataset_inputs: _Optional[_Iterable[_Union[_models_pb2.DatasetInput, _Mapping]]] = ..., model_inputs: _Optional[_Iterable[_Union[_models_pb2.ModelStep, _Mapping]]] = ..., model_outputs: _Optional[_Iterable[_Union[_models_pb2.ModelStep, _Mapping]]] = ...) -> None: ...

class RunInfo(_message.Message):
    __slots__ = ("run_id", "run_name", "experiment_id", "user_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_NAME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_STAGE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_URI_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    run_name: str
    experiment_id: str
    user_id: str
    status: RunStatus
    start_time: int
    end_time: int
    lifecycle_stage: str
    artifact_uri: str
    def __init__(self, run_id: _Optional[str] = ..., run_name: _Optional[str] = ..., experiment_id: _Optional[str] = ..., user_id: _Optional[str] = ..., status: _Optional[_Union[RunStatus, str]] = ..., start_time: _Optional[int] = ..., end_time: _Optional[int] = ..., lifecycle_stage: _Optional[str] = ..., artifact_uri: _Optional[str] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("key", "value", "timestamp", "step")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: float
    timestamp: int
    step: int
    def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ..., timestamp: _Optional[int] = ..., step: _Optional[int] = ...) -> None: ...

class MetricSummary(_message.Message):
    __slots__ = ("key", "last", "first", "min", "max", "count", "nan_count")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    key: str
    last: Metric
    first: Metric
    min: float
    max: float
    count: int
    nan_count: int
    def __init__(self, key: _Optional[str] = ..., last: _Optional[_Union[Metric, _Mapping]] = ..., first: _Optional[_Union[Metric, _Mapping]] = ..., min: _Optional[float] = ..., max: _Optional[float] = ..., count: _Optional[int] = ..., nan_count: _Optional[int] = ...) -> None: ...

class CreateExperimentRequest(_message.Message):
    __slots__ = ("name", "artifact_location", "tags", "experiment_id", "creation_time")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_LOCATION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATION_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    artifact_location: str
    tags: _containers.ScalarMap[str, str]
    experiment_id: str
    creation_time: int
    def __init__(self, name: _Optional[str] = ..., artifact_location: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ..., experiment_id: _Optional[str] = ..., creation_time: _Optional[int] = ...) -> None: ...

class GetExperimentRequest(_message.Message):
    __slots__ = ("experiment_id", "name")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    name: str
    def __init__(self, experiment_id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ListExperimentsRequest(_message.Message):
    __slots__ = ("max_results", "page_token", "view_type", "filter", "order_by")
    MAX_RESULTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VIEW_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    max_results: int
    page_token: str
    view_type: ViewType
    filter: str
    order_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, max_results: _Optional[int] = ..., page_token: _Optional[str] = ..., view_type: _Optional[_Union[ViewType, str]] = ..., filter: _Optional[str] = ..., order_by: _Optional[_Iterable[str]] = ...) -> None: ...

class ChangeExperimentRequest(_message.Message):
    __slots__ = ("experiment_id", "name", "lifecycle_stage", "set_tags", "delete_tag")
    class Tags(_message.Message):
        __slots__ = ("tags",)
        class TagsEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        TAGS_FIELD_NUMBER: _ClassVar[int]
        tags: _containers.ScalarMap[str, str]
        def __init__(self, tags: _Optional[_Mapping[str, str]] = ...) -> None: ...
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_STAGE_FIELD_NUMBER: _ClassVar[int]
    SET_TAGS_FIELD_NUMBER: _ClassVar[int]
    DELETE_TAG_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    name: str
    lifecycle_stage: str
    set_tags: ChangeExperimentRequest.Tags
    delete_tag: str
    def __init__(self, experiment_id: _Optional[str] = ..., name: _Optional[str] = ..., lifecycle_stage: _Optional[str] = ..., set_tags: _Optional[_Union[ChangeExperimentRequest.Tags, _Mapping]] = ..., delete_tag: _Optional[str] = ...) -> None: ...

class ChangeRunRequest(_message.Message):
    __slots__ = ("run_id", "lifecycle_stage")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_STAGE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    lifecycle_stage: str
    def __init__(self, run_id: _Optional[str] = ..., lifecycle_stage: _Optional[str] = ...) -> None: ...

class EraseDeletedRequest(_message.Message):
    __slots__ = ("run_ids", "experiment_ids", "deleted_before", "dry_run", "max_runs")
    RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    DELETED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    MAX_RUNS_FIELD_NUMBER: _ClassVar[int]
    run_ids: _containers.RepeatedScalarFieldContainer[str]
    experiment_ids: _containers.RepeatedScalarFieldContainer[str]
    deleted_before: int
    dry_run: bool
    max_runs: int
    def __init__(self, run_ids: _Optional[_Iterable[str]] = ..., experiment_ids: _Optional[_Iterable[str]] = ..., deleted_before: _Optional[int] = ..., dry_run: bool = ..., max_runs: _Optional[int] = ...) -> None: ...

class EraseDeletedResponse(_message.Message):
    __slots__ = ("run_ids", "experiment_ids", "more")
    RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    run_ids: _containers.RepeatedScalarFieldContainer[str]
    experiment_ids: _containers.RepeatedScalarFieldContainer[str]
    more: bool
    def __init__(self, run_ids: _Optional[_Iterable[str]] = ..., experiment_ids: _Optional[_Iterable[str]] = ..., more: bool = ...) -> None: ...

class ListExperimentsResponse(_message.Message):
    __slots__ = ("experiments", "next_page_token")
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiments: _containers.RepeatedCompositeFieldContainer[Experiment]
    next_page_token: str
    def __init__(self, experiments: _Optional[_Iterable[_Union[Experiment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateRunRequest(_message.Message):
    __slots__ = ("run_id", "run")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    run: CreateRun
    def __init__(self, run_id: _Optional[str] = ..., run: _Optional[_Union[CreateRun, _Mapping]] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class SearchRunsRequest(_message.Message):
    __slots__ = ("experiment_ids", "filter", "order_by", "view_type", "max_results", "page_token")
    EXPERIMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    VIEW_TYPE_FIELD_NUMBER: _ClassVar[int]
    MAX_RESULTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiment_ids: _containers.RepeatedScalarFieldContainer[str]
    filter: str
    order_by: _containers.RepeatedScalarFieldContainer[str]
    view_type: ViewType
    max_results: int
    page_token: str
    def __init__(self, experiment_ids: _Optional[_Iterable[str]] = ..., filter: _Optional[str] = ..., order_by: _Optional[_Iterable[str]] = ..., view_type: _Optional[_Union[ViewType, str]] = ..., max_results: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SearchRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token", "metric_keys", "latest")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    METRIC_KEYS_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    next_page_token: str
    metric_keys: _containers.RepeatedScalarFieldContainer[str]
    latest: _containers.RepeatedCompositeFieldContainer[LatestMetrics]
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., metric_keys: _Optional[_Iterable[str]] = ..., latest: _Optional[_Iterable[_Union[LatestMetrics, _Mapping]]] = ...) -> None: ...

class LatestMetrics(_message.Message):
    __slots__ = ("keys", "values", "timestamps", "steps")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    timestamps: _containers.RepeatedScalarFieldContainer[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, keys: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., timestamps: _Optional[_Iterable[int]] = ..., steps: _Optional[_Iterable[int]] = ...) -> None: ...

class GetSummariesRequest(_message.Message):
    __slots__ = ("run_id", "keys")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class GetSummariesResponse(_message.Message):
    __slots__ = ("summaries",)
    SUMMARIES_FIELD_NUMBER: _ClassVar[int]
    summaries: _containers.RepeatedCompositeFieldContainer[MetricSummary]
    def __init__(self, summaries: _Optional[_Iterable[_Union[MetricSummary, _Mapping]]] = ...) -> None: ...

class GetMetricHistoryRequest(_message.Message):
    __slots__ = ("run_id", "key", "packed", "first_step", "last_step", "writer_ids", "ranks")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    WRITER_IDS_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    key: str
    packed: bool
    first_step: int
    last_step: int
    writer_ids: _containers.RepeatedScalarFieldContainer[str]
    ranks: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, run_id: _Optional[str] = ..., key: _Optional[str] = ..., packed: bool = ..., first_step: _Optional[int] = ..., last_step: _Optional[int] = ..., writer_ids: _Optional[_Iterable[str]] = ..., ranks: _Optional[_Iterable[int]] = ...) -> None: ...

class HistoryChunk(_message.Message):
    __slots__ = ("steps", "timestamps", "values", "packed")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    steps: bytes
    timestamps: bytes
    values: bytes
    packed: int
    def __init__(self, steps: _Optional[bytes] = ..., timestamps: _Optional[bytes] = ..., values: _Optional[bytes] = ..., packed: _Optional[int] = ...) -> None: ...

class GetMetricHistoriesRequest(_message.Message):
    __slots__ = ("run_ids", "keys", "first_step", "last_step", "writer_ids", "ranks", "buckets", "max_points", "page_token")
    RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    WRITER_IDS_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    run_ids: _containers.RepeatedScalarFieldContainer[str]
    keys: _containers.RepeatedScalarFieldContainer[str]
    first_step: int
    last_step: int
    writer_ids: _containers.RepeatedScalarFieldContainer[str]
    ranks: _containers.RepeatedScalarFieldContainer[int]
    buckets: int
    max_points: int
    page_token: str
    def __init__(self, run_ids: _Optional[_Iterable[str]] = ..., keys: _Optional[_Iterable[str]] = ..., first_step: _Optional[int] = ..., last_step: _Optional[int] = ..., writer_ids: _Optional[_Iterable[str]] = ..., ranks: _Optional[_Iterable[int]] = ..., buckets: _Optional[int] = ..., max_points: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class MetricHistories(_message.Message):
    __slots__ = ("series", "points", "writers", "new_writers", "buckets", "next_page_token")
    class Series(_message.Message):
        __slots__ = ("run_id", "key", "points")
        RUN_ID_FIELD_NUMBER: _ClassVar[int]
        KEY_FIELD_NUMBER: _ClassVar[int]
        POINTS_FIELD_NUMBER: _ClassVar[int]
        run_id: str
        key: str
        points: int
        def __init__(self, run_id: _Optional[str] = ..., key: _Optional[str] = ..., points: _Optional[int] = ...) -> None: ...
    class Writer(_message.Message):
        __slots__ = ("writer_id", "labels")
        class LabelsEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        WRITER_ID_FIELD_NUMBER: _ClassVar[int]
        LABELS_FIELD_NUMBER: _ClassVar[int]
        writer_id: str
        labels: _containers.ScalarMap[str, str]
        def __init__(self, writer_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...
    SERIES_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    WRITERS_FIELD_NUMBER: _ClassVar[int]
    NEW_WRITERS_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    series: _containers.RepeatedCompositeFieldContainer[MetricHistories.Series]
    points: HistoryChunk
    writers: bytes
    new_writers: _containers.RepeatedCompositeFieldContainer[MetricHistories.Writer]
    buckets: MetricChart
    next_page_token: str
    def __init__(self, series: _Optional[_Iterable[_Union[MetricHistories.Series, _Mapping]]] = ..., points: _Optional[_Union[HistoryChunk, _Mapping]] = ..., writers: _Optional[bytes] = ..., new_writers: _Optional[_Iterable[_Union[MetricHistories.Writer, _Mapping]]] = ..., buckets: _Optional[_Union[MetricChart, _Mapping]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetMetricChartRequest(_message.Message):
    __slots__ = ("run_id", "key", "buckets", "first_step", "last_step")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    key: str
    buckets: int
    first_step: int
    last_step: int
    def __init__(self, run_id: _Optional[str] = ..., key: _Optional[str] = ..., buckets: _Optional[int] = ..., first_step: _Optional[int] = ..., last_step: _Optional[int] = ...) -> None: ...

class MetricChart(_message.Message):
    __slots__ = ("first_steps", "last_steps", "counts", "nan_counts", "mins", "maxs", "means", "first_values", "last_values")
    FIRST_STEPS_FIELD_NUMBER: _ClassVar[int]
    LAST_STEPS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    NAN_COUNTS_FIELD_NUMBER: _ClassVar[int]
    MINS_FIELD_NUMBER: _ClassVar[int]
    MAXS_FIELD_NUMBER: _ClassVar[int]
    MEANS_FIELD_NUMBER: _ClassVar[int]
    FIRST_VALUES_FIELD_NUMBER: _ClassVar[int]
    LAST_VALUES_FIELD_NUMBER: _ClassVar[int]
    first_steps: bytes
    last_steps: bytes
    counts: bytes
    nan_counts: bytes
    mins: bytes
    maxs: bytes
    means: bytes
    first_values: bytes
    last_values: bytes
    def __init__(self, first_steps: _Optional[bytes] = ..., last_steps: _Optional[bytes] = ..., counts: _Optional[bytes] = ..., nan_counts: _Optional[bytes] = ..., mins: _Optional[bytes] = ..., maxs: _Optional[bytes] = ..., means: _Optional[bytes] = ..., first_values: _Optional[bytes] = ..., last_values: _Optional[bytes] = ...) -> None: ...

class ListWritersRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class ListWritersResponse(_message.Message):
    __slots__ = ("writers",)
    class Entry(_message.Message):
        __slots__ = ("writer_id", "labels", "points")
        class LabelsEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        WRITER_ID_FIELD_NUMBER: _ClassVar[int]
        LABELS_FIELD_NUMBER: _ClassVar[int]
        POINTS_FIELD_NUMBER: _ClassVar[int]
        writer_id: str
        labels: _containers.ScalarMap[str, str]
        points: int
        def __init__(self, writer_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., points: _Optional[int] = ...) -> None: ...
    WRITERS_FIELD_NUMBER: _ClassVar[int]
    writers: _containers.RepeatedCompositeFieldContainer[ListWritersResponse.Entry]
    def __init__(self, writers: _Optional[_Iterable[_Union[ListWritersResponse.Entry, _Mapping]]] = ...) -> None: ...

class ListRejectsRequest(_message.Message):
    __slots__ = ("run_id", "max_results")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_RESULTS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    max_results: int
    def __init__(self, run_id: _Optional[str] = ..., max_results: _Optional[int] = ...) -> None: ...

class ListRejectsResponse(_message.Message):
    __slots__ = ("rejects",)
    class Entry(_message.Message):
        __slots__ = ("writer_id", "first", "end", "code", "message", "timestamp", "run_id")
        WRITER_ID_FIELD_NUMBER: _ClassVar[int]
        FIRST_FIELD_NUMBER: _ClassVar[int]
        END_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
        RUN_ID_FIELD_NUMBER: _ClassVar[int]
        writer_id: str
        first: int
        end: int
        code: str
        message: str
        timestamp: int
        run_id: str
        def __init__(self, writer_id: _Optional[str] = ..., first: _Optional[int] = ..., end: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., timestamp: _Optional[int] = ..., run_id: _Optional[str] = ...) -> None: ...
    REJECTS_FIELD_NUMBER: _ClassVar[int]
    rejects: _containers.RepeatedCompositeFieldContainer[ListRejectsResponse.Entry]
    def __init__(self, rejects: _Optional[_Iterable[_Union[ListRejectsResponse.Entry, _Mapping]]] = ...) -> None: ...

class ListRewindsRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class ListRewindsResponse(_message.Message):
    __slots__ = ("rewinds",)
    class Entry(_message.Message):
        __slots__ = ("number", "step", "token", "created_at", "undone_at")
        NUMBER_FIELD_NUMBER: _ClassVar[int]
        STEP_FIELD_NUMBER: _ClassVar[int]
        TOKEN_FIELD_NUMBER: _ClassVar[int]
        CREATED_AT_FIELD_NUMBER: _ClassVar[int]
        UNDONE_AT_FIELD_NUMBER: _ClassVar[int]
        number: int
        step: int
        token: str
        created_at: int
        undone_at: int
        def __init__(self, number: _Optional[int] = ..., step: _Optional[int] = ..., token: _Optional[str] = ..., created_at: _Optional[int] = ..., undone_at: _Optional[int] = ...) -> None: ...
    REWINDS_FIELD_NUMBER: _ClassVar[int]
    rewinds: _containers.RepeatedCompositeFieldContainer[ListRewindsResponse.Entry]
    def __init__(self, rewinds: _Optional[_Iterable[_Union[ListRewindsResponse.Entry, _Mapping]]] = ...) -> None: ...

class ChangeRewindRequest(_message.Message):
    __slots__ = ("run_id", "number", "undone")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    UNDONE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    number: int
    undone: bool
    def __init__(self, run_id: _Optional[str] = ..., number: _Optional[int] = ..., undone: bool = ...) -> None: ...

class RunChange(_message.Message):
    __slots__ = ("create", "start_attempt", "end", "param", "tag", "delete_tag", "dataset", "models", "link_metric")
    CREATE_FIELD_NUMBER: _ClassVar[int]
    START_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    PARAM_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    DELETE_TAG_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LINK_METRIC_FIELD_NUMBER: _ClassVar[int]
    create: CreateRun
    start_attempt: StartAttempt
    end: EndRun
    param: SetParam
    tag: SetTag
    delete_tag: DeleteTag
    dataset: _models_pb2.LogDataset
    models: _models_pb2.LogModels
    link_metric: _models_pb2.LinkMetric
    def __init__(self, create: _Optional[_Union[CreateRun, _Mapping]] = ..., start_attempt: _Optional[_Union[StartAttempt, _Mapping]] = ..., end: _Optional[_Union[EndRun, _Mapping]] = ..., param: _Optional[_Union[SetParam, _Mapping]] = ..., tag: _Optional[_Union[SetTag, _Mapping]] = ..., delete_tag: _Optional[_Union[DeleteTag, _Mapping]] = ..., dataset: _Optional[_Union[_models_pb2.LogDataset, _Mapping]] = ..., models: _Optional[_Union[_models_pb2.LogModels, _Mapping]] = ..., link_metric: _Optional[_Union[_models_pb2.LinkMetric, _Mapping]] = ...) -> None: ...

class CreateRun(_message.Message):
    __slots__ = ("experiment_id", "experiment_name", "run_name", "user_id", "start_time", "tags", "fork_from", "fork_step")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    RUN_NAME_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    FORK_FROM_FIELD_NUMBER: _ClassVar[int]
    FORK_STEP_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    experiment_name: str
    run_name: str
    user_id: str
    start_time: int
    tags: _containers.ScalarMap[str, str]
    fork_from: str
    fork_step: int
    def __init__(self, experiment_id: _Optional[str] = ..., experiment_name: _Optional[str] = ..., run_name: _Optional[str] = ..., user_id: _Optional[str] = ..., start_time: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., fork_from: _Optional[str] = ..., fork_step: _Optional[int] = ...) -> None: ...

class StartAttempt(_message.Message):
    __slots__ = ("token", "process_id", "start_time", "resume_from_step")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROCESS_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    RESUME_FROM_STEP_FIELD_NUMBER: _ClassVar[int]
    token: str
    process_id: str
    start_time: int
    resume_from_step: int
    def __init__(self, token: _Optional[str] = ..., process_id: _Optional[str] = ..., start_time: _Optional[int] = ..., resume_from_step: _Optional[int] = ...) -> None: ...

class EndRun(_message.Message):
    __slots__ = ("status", "end_time", "token", "process_id")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROCESS_ID_FIELD_NUMBER: _ClassVar[int]
    status: RunStatus
    end_time: int
    token: str
    process_id: str
    def __init__(self, status: _Optional[_Union[RunStatus, str]] = ..., end_time: _Optional[int] = ..., token: _Optional[str] = ..., process_id: _Optional[str] = ...) -> None: ...

class SetParam(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class SetTag(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class DeleteTag(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServerInfo(_message.Message):
    __slots__ = ("http_port",)
    HTTP_PORT_FIELD_NUMBER: _ClassVar[int]
    http_port: int
    def __init__(self, http_port: _Optional[int] = ...) -> None: ...
