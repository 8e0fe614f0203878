"""A latency histogram of fixed size with a relative error of a thousandth."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

from hdrh.histogram import HdrHistogram

_MAX_MICROSECONDS = 3_600_000_000
_DIGITS = 3
# HdrHistogram's layout for three digits: 2,048 counts of single units, then 1,024 for each doubling.
_EXACT_BITS = 11
_HEADER = 8
_MAX_BYTES = 1 << 20  # bytes of a decompressed histogram, which has 23,000 counts of mostly a byte


class LatencyHistogram:
    """Counts times in seconds, exact to three digits from a microsecond to an hour; takes 180 kB.

    http://hdrhistogram.org
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = HdrHistogram(1, _MAX_MICROSECONDS, _DIGITS)

    def record(self, seconds: float) -> None:
        """As HdrHistogram.record_value, in a quarter of its time: it is called twice for every request."""
        value = int(seconds * 1e6) if seconds > 0 else 0
        if value > _MAX_MICROSECONDS:
            value = _MAX_MICROSECONDS
        histogram = self._counts
        doublings = value.bit_length() - _EXACT_BITS
        histogram.counts[value if doublings <= 0 else (doublings << (_EXACT_BITS - 1)) + (value >> doublings)] += 1
        histogram.total_count += 1
        if value > histogram.max_value:
            histogram.max_value = value
        if value < histogram.min_value:
            histogram.min_value = value

    @property
    def count(self) -> int:
        return int(self._counts.total_count)

    def quantiles(self, shares: Sequence[float]) -> list[float | None]:
        """Quantiles in seconds at these shares (ascending, 0 to 1); the quantile of 1 is the maximum."""
        if not self.count:
            return [None] * len(shares)
        found = self._counts.get_percentile_to_value_dict([100 * share for share in shares])
        largest = self._counts.get_max_value()
        return [min(found[100 * share], largest) / 1e6 for share in shares]

    def add(self, other: LatencyHistogram) -> None:
        self._counts.add(other._counts)

    def encode(self) -> str:
        """Encodes it in HdrHistogram's compressed form, which its other tools read as well."""
        text: bytes = self._counts.encode()
        return text.decode()

    @classmethod
    def decode(cls, text: str) -> LatencyHistogram:
        """Parses the form of `encode`; raises ValueError."""
        found = cls()
        try:
            _check_size(text)
            found._counts.decode_and_add(text.encode())
        except Exception as error:  # the library raises a dozen kinds, zlib's and its own
            raise ValueError("not an HdrHistogram") from error
        return found


def _check_size(text: str) -> None:
    """Raises ValueError for data that decompresses to more than a histogram's size: the library sets no limit."""
    decompressor = zlib.decompressobj()
    decompressor.decompress(base64.b64decode(text)[_HEADER:], _MAX_BYTES)
    if decompressor.unconsumed_tail:
        raise ValueError("too large")
