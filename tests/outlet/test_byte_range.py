"""Which bytes are asked for: the table of RFC 9110, and what fetchers get wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postflow.outlet.ranges import Validators, select
from tests.support.texts import texts

NOW = Validators('"new"', 1_700_000_000)
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
WHOLE = (200, 0, 1000)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("bytes=0-0", (206, 0, 1)),
        ("bytes=0-", (206, 0, 1000)),
        ("bytes=10-19", (206, 10, 20)),
        ("bytes=10-99999", (206, 10, 1000)),
        ("bytes=-10", (206, 990, 1000)),
        ("bytes=-5000", (206, 0, 1000)),
        ("Bytes=5-6", (206, 5, 7)),
        ("bytes= 5-6 ", (206, 5, 7)),
        ("bytes=1000-", (416, 0, 0)),
        ("bytes=1000-1001", (416, 0, 0)),
        ("bytes=-0", (416, 0, 0)),
        ("bytes=20-10", WHOLE),
        ("bytes=0-1,5-6", WHOLE),
        ("bytes=abc", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=", WHOLE),
        ("items=0-5", WHOLE),
        ("0-5", WHOLE),
        ("bytes=+1-5", WHOLE),
        ("bytes=1_0-20", WHOLE),
        ("bytes=\u0661-\u0662", WHOLE),
        (f"bytes={'9' * 5000}-", WHOLE),
        ("", WHOLE),
    ],
)
def test_a_range_is_honoured_or_ignored(asked: str, answer: tuple[int, int, int]) -> None:
    assert select({"Range": asked}, 1000, NOW) == answer


@pytest.mark.parametrize(
    ("condition", "honoured"),
    [
        ('"new"', True),
        (' "new" ', True),
        ('"old"', False),
        ('W/"new"', False),
        (DATE, True),
        ("Tue, 14 Nov 2023 22:13:19 GMT", False),
        ("Tue, 14 Nov 2023 22:13:21 GMT", False),
        ("yesterday", False),
        ("", False),
    ],
)
def test_if_range_never_joins_two_states_of_a_file(condition: str, *, honoured: bool) -> None:
    answer = select({"Range": "bytes=5-", "If-Range": condition}, 1000, NOW)
    assert answer.status == (206 if honoured else 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"new"'}, 200),
        ({"If-Match": '"old", "new"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"old"'}, 412),
        ({"If-Match": 'W/"new"'}, 412),
        ({"If-Match": '"old"', "Range": "bytes=5-"}, 412),
        ({"If-None-Match": '"new"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"old"'}, 200),
    ],
)
def test_conditions_decide_first(headers: dict[str, str], status: int) -> None:
    assert select(headers, 1000, NOW).status == status


def test_a_head_request_has_no_range() -> None:
    assert select({"Range": "bytes=5-6"}, 1000, NOW, ranges=False) == WHOLE


def test_the_date_is_the_one_fetchers_send_back() -> None:
    assert NOW.last_modified == DATE


@given(
    st.integers(1, 10**13),
    st.one_of(texts(), st.from_regex(r"bytes=[0-9, -]*", fullmatch=True)),
)
def test_no_header_selects_bytes_that_do_not_exist(size: int, asked: str) -> None:
    status, start, stop = select({"Range": asked}, size, NOW)
    assert (status == 416 and start == stop) or 0 <= start < stop <= size
