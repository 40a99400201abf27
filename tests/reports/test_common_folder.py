import pytest

from moeclip_cli.reports.common_folder import below, common_folder


@pytest.mark.parametrize(
    ("paths", "common"),
    [
        (["a/b/1.png", "a/c/2.png"], "a"),
        (["1.png", "a/2.png"], ""),
        (["https://host/a/1.png", "https://host/a/b/2.png"], "https://host/a"),
        (["https://host/1.png", "https://other/2.png"], ""),
        (["https://host/1.png", "s3://host/2.png"], ""),
        (["https://host/1.png", "a/2.png"], ""),
    ],
)
def test_common_folder(paths, common):
    assert common_folder(paths) == common


def test_names_below_a_folder_at_a_url():
    assert below("https://host/a/b/2.png", "https://host/a") == "b/2.png"
