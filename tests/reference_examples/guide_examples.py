"""Examples as MLflow's guides print them: each is a program of its own; what it needs is said before it.

``MLflow`` is its tracking guide, ``Azure`` Azure ML's "Log metrics, parameters, and files with MLflow", and
``Reference`` an API reference of MLflow's tracking.
"""

EXAMPLES = {
    "MLflow: tracking runs": """
val_loss = 0.25
# ---
import mlflow

with mlflow.start_run():
    mlflow.log_param("lr", 0.001)
    # Your ml code
    ...
    mlflow.log_metric("val_loss", val_loss)
""",
    "MLflow: querying runs": """
import mlflow

for loss in (0.5, 0.125, 0.25):
    with mlflow.start_run():
        mlflow.log_metric("val_loss", loss)
experiment_id = mlflow.last_active_run().info.experiment_id
# ---
client = mlflow.tracking.MlflowClient()
best_run = client.search_runs(
    experiment_id, order_by=["metrics.val_loss ASC"], max_results=1
)[0]
print(best_run.info)
# ---
assert best_run.data.metrics == {"val_loss": 0.125}
""",
    "MLflow: an experiment with a place of its own": """
import mlflow

# ---
experiment_name = "your_experiment_name"
mlflow.create_experiment(experiment_name, artifact_location="s3://your-bucket")
mlflow.set_experiment(experiment_name)
# ---
with mlflow.start_run() as run:
    assert mlflow.get_artifact_uri() == f"s3://your-bucket/{run.info.run_id}/artifacts"
""",
    "Azure: configure experiments": """
import mlflow
# Set the experiment
mlflow.set_experiment("mlflow-experiment")

# Start the run
mlflow_run = mlflow.start_run()
# Log metrics or other information
mlflow.log_metric('mymetric', 1)
# End run
mlflow.end_run()
""",
    "Azure: the context manager": """
import mlflow
mlflow.set_experiment("mlflow-experiment")

# Start the run, log metrics, end the run
with mlflow.start_run() as run:
    # Run started when context manager is entered, and ended when context manager exits
    mlflow.log_metric('mymetric', 1)
    mlflow.log_metric('anothermetric',1)
    pass
""",
    "Azure: a run's name": """
import mlflow
# ---
with mlflow.start_run(run_name="iris-classifier-random-forest") as run:
    mlflow.log_metric('mymetric', 1)
    mlflow.log_metric('anothermetric',1)
""",
    "Azure: log parameters": """
import mlflow
# ---
mlflow.log_param("num_epochs", 20)
# ---
params = {
    "num_epochs": 20,
    "dropout_rate": .6,
    "objective": "binary_crossentropy"
}

mlflow.log_params(params)
""",
    "Azure: log metrics": """
import mlflow
# ---
mlflow.log_metric("my_metric", 1)
mlflow.log_metric("my_metric", 1, step=1)
mlflow.log_metric("my_metric", 0)
""",
    "Azure: asynchronous by default": """
import mlflow

mlflow.config.enable_async_logging()
# ---
assert not mlflow.log_metric("metric1", 9.42).done()
""",
    "Azure: one metric asynchronously": """
import mlflow

with mlflow.start_run():
    # (...)
    mlflow.log_metric("metric1", 9.42, synchronous=False)
    # (...)
""",
    "Azure: wait for a metric": """
import mlflow

with mlflow.start_run():
    # (...)
    run_operation = mlflow.log_metric("metric1", 9.42, synchronous=False)
    # (...)
    run_operation.wait()
    # (...)
""",
    "Azure: a batch asynchronously": """
import mlflow
import time
from mlflow.entities import Metric

with mlflow.start_run() as current_run:
    mlflow_client = mlflow.tracking.MlflowClient()

    metrics = {"metric-0": 3.14, "metric-1": 6.28}
    timestamp = int(time.time() * 1000)
    metrics_arr = [Metric(key, value, timestamp, 0) for key, value in metrics.items()]

    run_operation = mlflow_client.log_batch(
        run_id=current_run.info.run_id,
        metrics=metrics_arr,
        synchronous=False,
    )
run_operation.wait()
""",
    "Azure: log curves or list of values": """
import mlflow
mlflow.start_run()
# ---
list_to_log = [1, 2, 3, 2, 1, 2, 3, 2, 1]
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
import time

client = MlflowClient()
client.log_batch(mlflow.active_run().info.run_id,
                 metrics=[Metric(key="sample_list", value=val, timestamp=int(time.time() * 1000), step=0) for val in list_to_log])
# ---
history = client.get_metric_history(mlflow.active_run().info.run_id, "sample_list")
assert [point.value for point in history] == list_to_log
""",
    "Azure: log images": """
import mlflow
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
img, fig = np.zeros((20, 30, 3), dtype=np.uint8), Figure()
fig.subplots().plot([1, 2, 3])
# ---
mlflow.log_image(img, "figure.png")
# ---
mlflow.log_image(Image.fromarray(img), "pil.png")
# ---
mlflow.log_figure(fig, "figure.png")
""",
    "Azure: log files": """
import mlflow
from pathlib import Path
from tempfile import mkdtemp
folder = Path(mkdtemp())
(folder / "file.pkl").write_bytes(b"pickled")
(folder / "sub").mkdir()
(folder / "sub" / "other").write_text("other")
dictionary = {"k": {"a": 1}}
# ---
mlflow.log_text("text string", "notes.txt")
mlflow.log_dict(dictionary, "file.yaml")
# ---
mlflow.log_artifact(str(folder / "file.pkl"))
mlflow.log_artifact(str(folder / "file.pkl"), artifact_path="in/here")
mlflow.log_artifacts(str(folder))
# ---
run_id = mlflow.active_run().info.run_id
client = mlflow.tracking.MlflowClient()
names = ["file.pkl", "file.yaml", "in", "notes.txt", "sub"]
assert [file.path for file in client.list_artifacts(run_id)] == names
assert [file.path for file in client.list_artifacts(run_id, "in/here")] == ["in/here/file.pkl"]
""",
    "Azure: artifacts of a run": """
import mlflow
from matplotlib.figure import Figure
with mlflow.start_run() as run:
    mlflow.log_figure(Figure(), "feature_importance_weight.png")
# ---
client = mlflow.tracking.MlflowClient()
listed = client.list_artifacts(run.info.run_id)
# ---
file_path = client.download_artifacts(run.info.run_id, path="feature_importance_weight.png")
# ---
assert [file.path for file in listed] == ["feature_importance_weight.png"]
assert open(file_path, "rb").read(4) == b"\\x89PNG"
""",
    "Azure: view information about runs": """
import mlflow
with mlflow.start_run(tags={"t": "x"}) as known:
    for iteration in (1, 2, 3, 4):
        mlflow.log_metric("iteration", iteration, step=iteration)
    mlflow.log_param("p", 1)
run_id = known.info.run_id
# ---
run = mlflow.get_run(run_id=run_id)
metrics = run.data.metrics
params = run.data.params
tags = run.data.tags
# ---
assert (metrics, params, tags["t"]) == ({"iteration": 4}, {"p": "1"}, "x")
""",
    "Reference: types": """
from mlflow.entities import Experiment, Run, RunInfo, RunData, Metric, Param, RunTag
from mlflow.tracking.fluent import ActiveRun
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_USER, MLFLOW_SOURCE_NAME
# ---
import mlflow
with mlflow.start_run(run_name="named") as run:
    assert isinstance(run, ActiveRun) and isinstance(run, Run) and isinstance(run.info, RunInfo)
    assert run.data.tags[MLFLOW_RUN_NAME] == "named"
    assert run.data.tags[MLFLOW_USER] and run.data.tags[MLFLOW_SOURCE_NAME]
    assert run.info.run_uuid == run.info.run_id
""",
}
"""Programs by name; ``# ---`` separates what a guide prints from what a test needs around it."""

TRAINING = {
    "Reference: basic experiment tracking": """
import mlflow
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_squared_error

# Set experiment
mlflow.set_experiment("housing-price-prediction")

# Generate sample data
X = np.random.rand(1000, 10)
y = np.random.rand(1000)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2)

# Start run
with mlflow.start_run(run_name="random-forest-experiment"):
    # Log parameters
    n_estimators = 100
    max_depth = 10
    mlflow.log_param("n_estimators", n_estimators)
    mlflow.log_param("max_depth", max_depth)

    # Train model
    model = RandomForestRegressor(n_estimators=n_estimators, max_depth=max_depth)
    model.fit(X_train, y_train)

    # Make predictions and calculate metrics
    y_pred = model.predict(X_test)
    mse = mean_squared_error(y_test, y_pred)

    # Log metrics
    mlflow.log_metric("mse", mse)
    mlflow.log_metric("rmse", np.sqrt(mse))

    # Log model
    mlflow.sklearn.log_model(model, "model")

    # Log additional artifacts
    import matplotlib.pyplot as plt

    plt.figure(figsize=(8, 6))
    plt.scatter(y_test, y_pred, alpha=0.6)
    plt.plot([y_test.min(), y_test.max()], [y_test.min(), y_test.max()], 'r--', lw=2)
    plt.xlabel('Actual')
    plt.ylabel('Predicted')
    plt.title('Actual vs Predicted Values')

    mlflow.log_figure(plt.gcf(), "predictions_scatter.png")
    plt.close()

    print(f"Run ID: {mlflow.active_run().info.run_id}")
# ---
run = mlflow.last_active_run()
[logged] = mlflow.search_logged_models(filter_string=f"source_run_id='{run.info.run_id}'", output_format="list")
assert (logged.name, logged.status) == ("model", "READY")
loaded = mlflow.sklearn.load_model(f"models:/{logged.model_id}")
assert np.allclose(loaded.predict(X_test), y_pred)
assert np.allclose(mlflow.pyfunc.load_model(logged.model_uri).predict(X_test), y_pred)
[picture] = mlflow.MlflowClient().list_artifacts(run.info.run_id)
assert picture.path == "predictions_scatter.png"
""",
    "Reference: nested runs for hyperparameter tuning": """
import mlflow
from sklearn.model_selection import ParameterGrid
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_squared_error
import numpy as np

# Set experiment
mlflow.set_experiment("hyperparameter-tuning")

# Parameter grid
param_grid = {
    'n_estimators': [50, 100, 200],
    'max_depth': [5, 10, 15]
}

# Sample data
X = np.random.rand(1000, 10)
y = np.random.rand(1000)

best_mse = float('inf')
best_params = None

# Parent run for the entire tuning process
with mlflow.start_run(run_name="hyperparameter-tuning-parent"):
    for params in ParameterGrid(param_grid):
        # Nested run for each parameter combination
        with mlflow.start_run(nested=True, run_name=f"rf-{params['n_estimators']}-{params['max_depth']}"):
            # Log parameters
            mlflow.log_params(params)

            # Train model
            model = RandomForestRegressor(**params)
            model.fit(X, y)

            # Calculate and log metrics
            y_pred = model.predict(X)
            mse = mean_squared_error(y, y_pred)
            mlflow.log_metric("mse", mse)

            # Track best parameters
            if mse < best_mse:
                best_mse = mse
                best_params = params

    # Log best results to parent run
    mlflow.log_params(best_params)
    mlflow.log_metric("best_mse", best_mse)
""",
}
