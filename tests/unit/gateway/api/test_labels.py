import re

import pytest

from gateway.api.labels import PairConvertor

ID = "01a211b9-b3a6-77a0-a1cb-c1acf2f23f0e"


@pytest.mark.parametrize(
    "label", [ID, "H26.12:mot-cua/CSDL-DC", "DoanhNghiep/1.0", "a/checking", f"{ID}/1.0"]
)
def test_a_label_of_two_segments_is_an_id_or_a_code(label: str) -> None:
    assert re.fullmatch(PairConvertor.regex, label)


@pytest.mark.parametrize(
    "label", ["DoanhNghiep", f"{ID}/history", "a/actions", "a/check", "a/b/c", "a/", "/b", ""]
)
def test_what_stands_below_an_object_is_no_label(label: str) -> None:
    assert not re.fullmatch(PairConvertor.regex, label)
