"""The whole dataframe boundary: any frame in, the caller's kind out; nobody else knows what a frame is."""

from engagekit.frames.building import build
from engagekit.frames.columns import RawColumn, Text
from engagekit.frames.export import ArrowColumns, Out, arrow_stream, to_arrow
from engagekit.frames.frame import Frame
from engagekit.frames.kept import KeyType, Own
from engagekit.frames.reading import frame_of, frames_of

__all__ = [
    "ArrowColumns",
    "Frame",
    "KeyType",
    "Out",
    "Own",
    "RawColumn",
    "Text",
    "arrow_stream",
    "build",
    "frame_of",
    "frames_of",
    "to_arrow",
]
