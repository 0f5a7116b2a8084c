from bench import curve
from bench.measures import drift_from_base
from nightschool.config import Config
from nightschool.models.hf import HFModel


def test_a_curve_has_a_point_for_every_measured_step(roomy: HFModel, small: Config) -> None:
    row = curve.run(roomy, drift_from_base(roomy), "meetings", small)
    assert [point["step"] for point in row["curve"]] == [1, 2]
    assert row["setup_seconds"] < row["curve"][0]["seconds"] < row["curve"][1]["seconds"] < row["seconds"]
