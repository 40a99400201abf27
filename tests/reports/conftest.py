import pytest

from moeclip_cli.inspection.result import Row


@pytest.fixture
def scored_row() -> Row:
    return Row(
        path="line 3/part 1.png",
        score=0.8123,
        verdict="anomalous",
        threshold=0.5,
        map_max=123.5,
        image_score=0.51,
        peak=0.93,
        peak_x=20,
        peak_y=30,
        map_part=0.465,
        image_part=0.3473,
        area_fraction=0.012,
        regions=1,
        x0=3,
        y0=4,
        x1=50,
        y1=60,
        width=600,
        height=400,
        prompt="metal bracket",
        model="moeclip-mini",
    )
