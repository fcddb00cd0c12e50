"""Which example of which reference document is which test; ``None``: what is said there is not built.

An example that is printed twice, or of which two blocks belong together, is one test.
"""

CONTENTS: dict[str, dict[str, str | None]] = {
    "MLflow, tracking guide": {
        "Tracking Runs": "MLflow: tracking runs",
        "Tracking Runs: mlflow.autolog()": None,
        "Searching Logged Models Programmatically": "MLflow: searching logged models",
        "Querying Runs Programmatically": "MLflow: querying runs",
        "Logging Model Checkpoints": "MLflow: logging model checkpoints",
        "Linking Metrics to Models and Datasets": "MLflow: linking metrics to models and datasets",
        "Searching and Ranking Model Checkpoints": "MLflow: searching and ranking checkpoints",
        "Model URIs in MLflow 3": "MLflow: URIs of models",
        "FAQ: access to remote storage": "MLflow: an experiment with a place of its own",
    },
    "MLflow, automatic logging": {
        "mlflow.autolog() with a run": None,
        "Step 2: a forest on load_diabetes": None,
        "Customize: log_model_signatures, extra_tags": None,
        "Enable and disable by library": None,
    },
    "Azure ML, log metrics, parameters, and files": {
        "Configure experiments": "Azure: configure experiments",
        "Configure experiments: the context manager": "Azure: the context manager",
        "Configure experiments: run_name": "Azure: a run's name",
        "Training with jobs: mlflow.autolog()": None,
        "Log parameters": "Azure: log parameters",
        "Log metrics": "Azure: log metrics",
        "Log metrics asynchronously: enable_async_logging": "Azure: asynchronous by default",
        "Log metrics asynchronously: synchronous=False": "Azure: one metric asynchronously",
        "Log metrics asynchronously: wait": "Azure: wait for a metric",
        "Log metrics asynchronously: a batch, and wait": "Azure: a batch asynchronously",
        "Log curves or list of values": "Azure: log curves or list of values",
        "Log images": "Azure: log images",
        "Log files": "Azure: log files",
        "Automatic logging": None,
        "View information about jobs or runs": "Azure: view information about runs",
        "View information: list_artifacts, download_artifacts": "Azure: artifacts of a run",
    },
    "MLflow, a post about autolog": {
        "Introduction": None,
        "Example: a forest and its score": None,
        "Configuration: log_datasets=False": None,
    },
    "Databricks, autologging": {
        "The default configuration": None,
        "Usage": None,
        "Track additional content: exclusive=False": None,
        "Disable": None,
        "Tracing: mlflow.llama_index.autolog": None,
    },
    "An API reference of MLflow's tracking": {
        "Artifact logging: how each is called": "Reference: artifact logging",
        "Artifact logging: the signatures": "Reference: signatures of artifact logging",
        "Basic experiment tracking": "Reference: basic experiment tracking",
        "Nested runs": "Reference: nested runs for hyperparameter tuning",
        "Types": "Reference: types",
    },
}
