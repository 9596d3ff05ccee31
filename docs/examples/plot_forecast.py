"""Air quality one, six and twenty-four hours ahead
==================================================

A year of hourly measurements in an Italian city, with gaps. From what was measured in the last two
days one model foretells carbon monoxide 1, 6 and 24 hours ahead: three tasks, each with its own
attention over what is known. Beside it stand the value of the same hour a day earlier, and
scikit-learn's boosting, one model for each horizon. Training ends before validation begins, and
validation before the test.

The series (Air Quality, UCI, CC BY 4.0) is read from the folder that SK_ATTENTION_DATA names.
"""

# %%
# Without the folder there is nothing to show.
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error

from sk_attention import MultiTaskAttentionRegressor
from sk_attention.inspection import AttentionDisplay

SET = "multitask/air_quality_uci/air_quality_uci.parquet"
if not (table := Path(os.environ.get("SK_ATTENTION_DATA", ".")) / SET).exists():
    sys.exit(f"Set SK_ATTENTION_DATA to a folder that holds {SET}.")

HORIZONS, LAGS = (1, 6, 24), (0, 1, 2, 3, 6, 12, 18, 23, 42, 47)

# %%
# A row is an hour: the measurements of now, earlier ones of carbon monoxide, and the clock. Its
# labels are what comes 1, 6 and 24 hours later, missing where nothing was measured.
frame = pl.read_parquet(table)
level = pd.Series(frame["CO(GT)"].to_numpy())
sensors = ["PT08.S1(CO)", "PT08.S2(NMHC)", "PT08.S3(NOx)", "PT08.S4(NO2)", "PT08.S5(O3)"]
now = pd.DataFrame({name: frame[name].to_numpy() for name in (*sensors, "T", "RH", "AH")})
clock = {name: frame[name].cast(pl.String).to_list() for name in ("hour", "dayofweek")}
past = {f"CO {lag} h ago" if lag else "CO now": level.shift(lag) for lag in LAGS}
X = pd.concat([pd.DataFrame(past), now, pd.DataFrame(clock).astype("category")], axis=1)
y = pd.DataFrame({f"{ahead} h": level.shift(-ahead) for ahead in HORIZONS})
names, gap = list(y), max(HORIZONS)
first, second, end = int(0.6 * len(X)), int(0.8 * len(X)), len(X) - gap
# labels of training rows are known before validation begins, and so for the test
train, val, test = slice(max(LAGS), first - gap), slice(first, second - gap), slice(second, end)
print(
    f"{len(y[train])} hours to train on, {len(y[test])} to test; "
    f"{y.isna().to_numpy().mean():.0%} of the labels are missing"
)

# %%
# One fit for all horizons. The validation hours tell when to stop.
model = MultiTaskAttentionRegressor(n_members=4, max_epochs=20, n_iter_no_change=5, random_state=0)
model.fit(X[train], y[train], X_val=X[val], y_val=y[val])

# %%
# The baselines: the hour of the forecast a day earlier, and a boosted model for each horizon.
forecasts = {"attention": model.predict(X[test])}
day_before = pd.DataFrame(
    {name: level.shift(24 - ahead) for name, ahead in zip(names, HORIZONS, strict=True)}
)
forecasts["a day earlier"] = day_before.ffill()[test].to_numpy()
boosted = []
for name in names:
    known = y[train][name].notna()
    one = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
    boosted.append(one.fit(X[train][known], y[train][name][known]).predict(X[test]))
forecasts["boosted"] = np.transpose(boosted)
rows = {}
for who, told in forecasts.items():
    for task, name in enumerate(names):
        known = y[test][name].notna().to_numpy()
        error = mean_absolute_error(y[test][name][known], told[known, task])
        rows.setdefault(who, {})[name] = error
print("\nMean absolute error in mg/m3, hours ahead:")
print(pd.DataFrame(rows).T.round(3).to_string())

# %%
# What each horizon looks at, and a week of forecasts.
folder = Path("runs") / "forecast"
folder.mkdir(parents=True, exist_ok=True)
pd.DataFrame(forecasts["attention"], columns=names).to_csv(folder / "predictions.csv")
written = "predictions.csv"
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("\nNo picture: pip install 'sk-attention[plot]'")
else:
    figure, (looks, week) = plt.subplots(2, 1, figsize=(10, 7), layout="constrained")
    AttentionDisplay.from_estimator(model, ax=looks)
    shown = slice(200, 200 + 24 * 7)
    week.plot(y[test]["6 h"].to_numpy()[shown], color="0.6", label="measured")
    week.plot(forecasts["attention"][shown, 1], label="attention")
    week.plot(forecasts["boosted"][shown, 1], label="boosted", linewidth=0.8)
    week.set(title="a week, 6 hours ahead", xlabel="hour", ylabel="CO, mg/m3")
    week.legend()
    figure.savefig(folder / "attention.png", dpi=80)
    written = "attention.png, predictions.csv"
print(f"\nWritten to {folder.resolve()}: {written}")
