"""XGBoost: a booster with early stopping, and its scikit-learn estimator."""

import mlflow
import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split

mlflow.autolog()

features, target = load_breast_cancer(return_X_y=True, as_frame=True)
train, test, train_target, test_target = train_test_split(features, target, random_state=0)
with mlflow.start_run(run_name="booster"):
    matrices = xgboost.DMatrix(train, train_target), xgboost.DMatrix(test, test_target)
    booster = xgboost.train(
        {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "max_depth": 2, "nthread": 1},
        matrices[0],
        num_boost_round=40,
        evals=[(matrices[0], "train"), (matrices[1], "test")],
        early_stopping_rounds=3,
        verbose_eval=False,
    )
loaded = mlflow.pyfunc.load_model(mlflow.last_logged_model().model_uri)
np.testing.assert_allclose(loaded.predict(test), booster.predict(matrices[1]))

numbers, values = load_diabetes(return_X_y=True, as_frame=True)
regressor = xgboost.XGBRegressor(n_estimators=5, max_depth=2, n_jobs=1)
regressor.fit(numbers, values, eval_set=[(numbers, values)], verbose=False)
loaded = mlflow.xgboost.load_model(mlflow.last_logged_model().model_uri)
np.testing.assert_allclose(loaded.predict(numbers), regressor.predict(numbers))
