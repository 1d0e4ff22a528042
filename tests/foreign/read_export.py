"""Reads an export of loadgen on standard input, and prints what it found as JSON.

The argument is the format: csv, read by Python's module, openmetrics, read by Prometheus' client for
Python, or junit, read by junitparser.
"""

import csv
import io
import json
import sys


def openmetrics(data):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    return [
        {"type": family.type, "unit": family.unit, "name": sample.name,
         "labels": sample.labels, "value": sample.value}
        for family in text_string_to_metric_families(data.decode())
        for sample in family.samples
    ]


def junit(data):
    from junitparser import JUnitXml

    return [
        {"suite": suite.name, "tests": suite.tests, "failures": suite.failures,
         "skipped": suite.skipped,
         "cases": [{"name": case.name, "results": [
             {"kind": type(result).__name__, "message": result.message, "text": result.text}
             for result in case.result]} for case in suite]}
        for suite in JUnitXml.fromstring(data)
    ]


def rows(data):
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


read = {"csv": rows, "openmetrics": openmetrics, "junit": junit}[sys.argv[1]]
print(json.dumps(read(sys.stdin.buffer.read())))
