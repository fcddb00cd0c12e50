"""scikit-learn: a pipeline that is scored on other data, and a search of a grid with a run for each point."""

import mlflow
import numpy as np
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

mlflow.autolog()

features, target = load_diabetes(return_X_y=True, as_frame=True)
train, test, train_target, test_target = train_test_split(features, target, random_state=0)
with mlflow.start_run(run_name="pipeline"):
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(train, train_target)
    pipeline.score(test, test_target)
    mean_squared_error(test_target, pipeline.predict(test))
loaded = mlflow.sklearn.load_model(mlflow.last_logged_model().model_uri)
np.testing.assert_allclose(loaded.predict(test), pipeline.predict(test))

flowers, kinds = load_iris(return_X_y=True, as_frame=True)
forest = RandomForestClassifier(n_estimators=5, random_state=0)
search = GridSearchCV(forest, {"max_depth": [1, 2], "criterion": ["gini", "entropy"]}, cv=2)
search.fit(flowers, kinds)  # a run of its own
models = mlflow.search_logged_models(
    filter_string=f"source_run_id = '{mlflow.last_active_run().info.run_id}'", output_format="list"
)
assert len(models) == 2, models  # the search, and the best that it found
for model in models:
    loaded = mlflow.pyfunc.load_model(model.model_uri)
    np.testing.assert_array_equal(loaded.predict(flowers), search.predict(flowers))
