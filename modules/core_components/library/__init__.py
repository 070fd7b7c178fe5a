"""What belongs to the user: samples he brought in, voices he keeps, takes the studio made."""

from modules.core_components.library.samples import SampleLibrary
from modules.core_components.library.takes import TakeLibrary
from modules.core_components.library.voices import VoiceLibrary

__all__ = ["SampleLibrary", "TakeLibrary", "VoiceLibrary"]
