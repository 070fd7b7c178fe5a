"""What is the user's: samples, voices, models, datasets, takes, conversations, and more."""

from modules.core_components.library.conversations import ConversationLibrary
from modules.core_components.library.datasets import DatasetLibrary
from modules.core_components.library.samples import SampleLibrary
from modules.core_components.library.takes import TakeLibrary
from modules.core_components.library.training_runs import TrainingRunLibrary
from modules.core_components.library.tuned_models import TunedModelLibrary
from modules.core_components.library.voices import (
    FavouriteVoices,
    PronunciationLibrary,
    VoiceLibrary,
)

__all__ = [
    "ConversationLibrary",
    "DatasetLibrary",
    "FavouriteVoices",
    "PronunciationLibrary",
    "SampleLibrary",
    "TakeLibrary",
    "TrainingRunLibrary",
    "TunedModelLibrary",
    "VoiceLibrary",
]
