"""The models as a file to take away: a zip with a pickle per model and a manifest.

Written for whoever wants to use the models elsewhere. The server never loads a pickle, neither these nor others.
"""

import hashlib
import json
import pickle
import platform
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn  # type: ignore[import-untyped]  # ships no types

from lodestream_server.workloads.phase import Json

#: Same content, same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)

WARNING = (
    "A pickle runs code when it is loaded. Load these files only if you got this archive from your own server and its "
    "sha256 sums are right."
)


def pack(path: Path, contents: Mapping[str, Mapping[str, Any]], about: Json) -> list[str]:
    """Writes NAME.pkl for each of `contents` and manifest.json with `about`; returns the names of the files."""
    files = {f"{name}.pkl": pickle.dumps(dict(content), protocol=5) for name, content in contents.items()}
    manifest = {
        **about,
        "warning": WARNING,
        "versions": {"python": platform.python_version(), "scikitLearn": sklearn.__version__, "numpy": np.__version__},
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
        },
        "howToLoad": "import pickle; content = pickle.load(open('remaining_time.pkl', 'rb')); content['kind'] says "
        "what it holds: content['model'] is a scikit-learn estimator that expects the columns of content['columns'] as "
        "floats, in that order; content['table'] is a list of rows to look up. Needs the scikit-learn version above.",
    }
    files["manifest.json"] = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True, default=str).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name], compress_type=zipfile.ZIP_DEFLATED)
    return sorted(files)
