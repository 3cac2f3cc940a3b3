"""Keys of joins as texts that can be compared, whatever kinds of columns they stand in. Pure."""

import polars as pl

from lodestream_server.workloads.mining.timestamps import detect, parse


def key_of(values: pl.Series, like: pl.DataType | None = None) -> pl.Series:
    """A key as text: whole numbers without a point, white space cut off; null where nothing stands.

    `like` is the type of the other side's column: texts that read as one of it are compared as such, so that 8.0 finds
    8 among numbers. Among texts, 007 stays what it is.
    """
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        exact = (whole.cast(pl.Float64) == values).fill_null(False)
        return pl.select(pl.when(exact).then(whole.cast(pl.String)).otherwise(values.cast(pl.String))).to_series()
    texts = values.cast(pl.String).str.strip_chars()
    texts = texts.set(texts == "", None)
    return texts if like is None or values.dtype != pl.String else _read_as(texts, like)


def _read_as(texts: pl.Series, like: pl.DataType) -> pl.Series:
    """Texts as the other side would write them; what does not read as one of its kind stays."""
    read = texts
    if like.is_numeric():
        # Integers first: as floats those of more than 53 bits would meet.
        whole = texts.cast(pl.Int64, strict=False).cast(pl.String)
        read = pl.select(pl.coalesce(whole, key_of(texts.cast(pl.Float64, strict=False)))).to_series()
    elif like == pl.Boolean:
        read = texts.str.to_lowercase()
    elif isinstance(like, pl.Datetime) and (found := detect(texts)):
        read = parse(texts, found.pattern).cast(pl.String)
    return pl.select(pl.coalesce(read, texts)).to_series()
