"""Datasets, as ``mlflow.data``: what a run used, by name and digest.

::

    train = headrace.data.from_pandas(frame, "https://example.org/train.csv", targets="y", name="train")
    headrace.log_input(train, context="training")

Only name, digest, schema, profile and source are logged, never the data. NumPy, pandas, Polars and
Hugging Face's ``datasets`` are needed for their own data only.
"""

from headrace.data import (
    code_dataset_source,
    dataset,
    dataset_source,
    http_dataset_source,
    huggingface_dataset,
    meta_dataset,
    numpy_dataset,
    pandas_dataset,
    polars_dataset,
)
from headrace.data.dataset import Dataset
from headrace.data.dataset_source import DatasetSource
from headrace.data.huggingface_dataset import from_huggingface
from headrace.data.meta_dataset import MetaDataset
from headrace.data.numpy_dataset import from_numpy
from headrace.data.pandas_dataset import from_pandas
from headrace.data.polars_dataset import from_polars
from headrace.data.resolving import get_source

__all__ = [
    "Dataset",
    "DatasetSource",
    "MetaDataset",
    "code_dataset_source",
    "dataset",
    "dataset_source",
    "from_huggingface",
    "from_numpy",
    "from_pandas",
    "from_polars",
    "get_source",
    "http_dataset_source",
    "huggingface_dataset",
    "meta_dataset",
    "numpy_dataset",
    "pandas_dataset",
    "polars_dataset",
]
