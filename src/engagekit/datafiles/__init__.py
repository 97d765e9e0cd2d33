"""Read events and contacts from files, write scores to files.

Parquet, CSV and JSON lines, by the file's ending; needs pyarrow (``pip install "engagekit[files]"``), which
is imported only when a file is touched.
"""

from engagekit.datafiles.paths import expand
from engagekit.datafiles.reading import is_untyped, read_events, read_table, row_count
from engagekit.datafiles.saved import check_page, check_place, check_target, read_saved, replacing, write

__all__ = [
    "check_page",
    "check_place",
    "check_target",
    "expand",
    "is_untyped",
    "read_events",
    "read_saved",
    "read_table",
    "replacing",
    "row_count",
    "write",
]
