"""The digest is xxh3_128, and inline and streamed bytes have the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.plan.content import DIGEST, digest_of, hasher


@pytest.mark.parametrize(
    ("data", "digest"),  # as `xxhsum -H2` prints them
    [
        (b"", "99aa06d3014798d86001c324468d497f"),
        (b"a", "a96faf705af16834e6c632b61e964e1f"),
        (b"abc", "06b05ab6733a618578af5f94892f3950"),
    ],
)
def test_the_digest_is_everybodys_xxh3_128(data, digest):
    assert DIGEST == "xxh3_128"
    assert digest_of(data) == digest_of(memoryview(data)) == digest


@given(st.binary(), st.binary())
def test_a_digest_may_be_made_in_parts(head, tail):
    whole = hasher()
    whole.update(head)
    whole.update(tail)
    assert whole.hexdigest() == digest_of(head + tail)
