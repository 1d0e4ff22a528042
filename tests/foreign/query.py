"""Runs the SQL query on standard input with DuckDB and prints its rows as JSON, one a line."""

import json
import sys

import duckdb

relation = duckdb.sql(sys.stdin.read())
for row in relation.fetchall():
    print(json.dumps(dict(zip(relation.columns, row)), default=str))
