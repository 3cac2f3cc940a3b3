"""The data quality score: how much of a log can be trusted as it came, from 0 to 100.

    score = 100 × (1 − (invalid + ½ inferred + ½ duplicates) / total)

An invalid record is lost, so it counts fully; a timestamp that had to be inferred and a row that occurs twice are half
a fault each. The result is rounded down to one decimal: 100 means spotless.
"""

from math import floor

from lodestream_server.workloads.phase import Json


def score(total: int, invalid: int, inferred: int, duplicates: int) -> Json:
    """The score and the shares (percent of all records) it is made of."""
    faults = invalid + inferred / 2 + duplicates / 2
    value = 100 * (1 - faults / total) if total else 0.0
    parts = {"invalid": invalid, "inferred": inferred, "duplicate": duplicates}
    shares = {f"{name}Percent": round(100 * count / total, 2) if total else 0.0 for name, count in parts.items()}
    # 1e-9: 99.7 must not become 99.6 because 0.997 has no exact binary form.
    return {"score": max(0.0, floor(value * 10 + 1e-9) / 10), **shares}
