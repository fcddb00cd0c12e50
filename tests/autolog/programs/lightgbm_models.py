"""LightGBM: a booster with early stopping, and its scikit-learn estimator."""

import lightgbm
import mlflow
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split

mlflow.autolog()

features, target = load_breast_cancer(return_X_y=True, as_frame=True)
train, test, train_target, test_target = train_test_split(features, target, random_state=0)
with mlflow.start_run(run_name="booster"):
    data = lightgbm.Dataset(train, train_target)
    booster = lightgbm.train(
        {
            "objective": "binary",
            "metric": ["binary_logloss", "auc"],
            "num_leaves": 4,
            "num_threads": 1,
            "verbose": -1,
        },
        data,
        num_boost_round=40,
        valid_sets=[data, data.create_valid(test, test_target)],
        valid_names=["train", "test"],
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
    )
loaded = mlflow.pyfunc.load_model(mlflow.last_logged_model().model_uri)
np.testing.assert_allclose(loaded.predict(test), booster.predict(test))

numbers, values = load_diabetes(return_X_y=True, as_frame=True)
regressor = lightgbm.LGBMRegressor(n_estimators=5, num_leaves=4, n_jobs=1, verbose=-1)
regressor.fit(numbers, values, eval_X=numbers, eval_y=values)
loaded = mlflow.lightgbm.load_model(mlflow.last_logged_model().model_uri)
np.testing.assert_allclose(loaded.predict(numbers), regressor.predict(numbers))
