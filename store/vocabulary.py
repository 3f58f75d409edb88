"""The closed vocabularies of the project: emotions, vowels, genders and the common time base."""

EMOTIONS: tuple[str, ...] = (
    "neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise", "boredom", "calm",
    "frustration", "contempt", "excitement", "guilt", "other",
)  # fmt: skip
"""Canonical emotion names (order of the published ontology)."""

FOUR_CLASSES: tuple[str, ...] = ("neutral", "happiness", "anger", "sadness")
"""The view `cat4` of system 002, in the paper's order."""

MONOPHTHONGS: tuple[str, ...] = ("i", "E", "@", "A", "O", "u")
DIPHTHONGS: tuple[str, ...] = ("aI", "eI", "aU", "oU")
SHARED_VOWELS: tuple[str, ...] = MONOPHTHONGS + DIPHTHONGS
"""The ten vowels that two languages may share, in X-SAMPA; "A" is the paper's /A,a/."""

GENDERS: tuple[str, ...] = ("female", "male", "unknown")

COMMON_RATE = 16_000
"""Samples per second of every stored time: intervals count samples at this rate."""

NATIVE_RATE = 0
"""What a feature spec gives as its sample rate where it takes the samples of each file as they are."""

SILENCE = ""
"""The phone symbol of silence, pause and noise."""
