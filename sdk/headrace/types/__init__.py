"""Schemas of data, as ``mlflow.types``: what datasets and signatures of models are described with.

``schema.py`` has the types and their JSON, which is MLflow's; ``infer.py`` finds the schema of data.
"""

from headrace.types.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
)

__all__ = [
    "AnyType",
    "Array",
    "ColSpec",
    "DataType",
    "Map",
    "Object",
    "ParamSchema",
    "ParamSpec",
    "Property",
    "Schema",
    "TensorSpec",
]
