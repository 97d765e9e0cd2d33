"""Which model is meant: a file's, or a preset."""

import os
from difflib import get_close_matches
from pathlib import Path

from engagekit import presets
from engagekit.errors import ModelError
from engagekit.model import Model
from engagekit.model.wording import listed

KNOWN = f"a model file (.toml, .json) or a preset: {', '.join(presets.names())}"


def load_model(name: str) -> Model:
    """Load a model by the name of its file or of a preset.

    Raises
    ------
    ModelError
        If there is no such file or preset, or with every fault of the model.
    """
    path = Path(name)
    named_as_file = "." in name or "/" in name or os.sep in name
    if path.is_file() or (named_as_file and path.exists()):
        return Model.load(path)
    if named_as_file:
        raise ModelError([f"{name}: no such file{_like(path)}"])
    if name in presets.names():
        return presets.load(name)
    near = [known for known in presets.names() if name and known.startswith(name)]
    near += [file.name for file in _model_files(Path()) if file.stem == name]
    if near:
        raise ModelError([f"presets: no preset is named {name!r}, did you mean {listed(near)}?"])
    return presets.load(name)  # which says what there is


def _like(path: Path) -> str:
    """Ask whether a file beside that path is meant which is named nearly so; endings are alike anyway."""
    files = {file.stem: file.name for file in _model_files(path.parent)}
    near = get_close_matches(path.stem, files, n=1)
    return f", did you mean {listed([files[near[0]]])}?" if near else ""


def _model_files(folder: Path) -> list[Path]:
    """List the files in a folder that could be models, none if there is no such folder."""
    return sorted(path for ending in ("toml", "json") for path in folder.glob(f"*.{ending}"))
