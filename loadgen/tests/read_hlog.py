"""Prints what another implementation of HdrHistogram reads in an interval log:
tag, start and length in milliseconds, count, p50, p99 and max in nanoseconds."""

import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

HOUR_NS = 3_600_000_000_000

reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, HOUR_NS, 3))
while (histogram := reader.get_next_interval_histogram()) is not None:
    start = histogram.get_start_time_stamp()
    print(
        histogram.get_tag(),
        round(start - reader.base_time_sec * 1000),
        round(histogram.get_end_time_stamp() - start),
        histogram.get_total_count(),
        histogram.get_value_at_percentile(50),
        histogram.get_value_at_percentile(99),
        histogram.get_max_value(),
    )
