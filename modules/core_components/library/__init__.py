"""The user's recordings: samples he brought in, takes the studio made."""

from modules.core_components.library.samples import SampleLibrary
from modules.core_components.library.takes import TakeLibrary

__all__ = ["SampleLibrary", "TakeLibrary"]
