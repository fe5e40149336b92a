"""What a file's name means, and where the file goes."""

from .naming import Explanation, Naming
from .presets import PRESETS
from .rules import NameRule
from .version import FINAL_VERSION

__all__ = ["FINAL_VERSION", "PRESETS", "Explanation", "NameRule", "Naming"]
