"""A dataset of the Hugging Face hub."""

from importlib import import_module
from typing import Any

from headrace.data.dataset_source import DatasetSource


class HuggingFaceDatasetSource(DatasetSource):
    """The arguments of ``datasets.load_dataset``; ``config_name`` is its ``name``."""

    source_type = "hugging_face"

    def __init__(  # noqa: PLR0917 - MLflow's order
        self,
        path: str,
        config_name: str | None = None,
        data_dir: str | None = None,
        data_files: Any = None,
        split: Any = None,
        revision: Any = None,
        trust_remote_code: bool | None = None,
    ) -> None:
        super().__init__(
            path=path,
            config_name=config_name,
            data_dir=data_dir,
            data_files=data_files,
            split=None if split is None else str(split),
            revision=None if revision is None else str(revision),
        )
        self.path = path
        self.trust_remote_code = trust_remote_code

    def load(self, **options: Any) -> Any:
        """The dataset, loaded with ``options`` besides."""
        fields = self.to_dict()
        return import_module("datasets").load_dataset(
            **{("name" if key == "config_name" else key): value for key, value in fields.items()}, **options
        )
