"""What is the user's: samples he brought in, takes the studio made, how words are to be said."""

from modules.core_components.library.pronunciations import PronunciationLibrary
from modules.core_components.library.samples import SampleLibrary
from modules.core_components.library.takes import TakeLibrary

__all__ = ["PronunciationLibrary", "SampleLibrary", "TakeLibrary"]
