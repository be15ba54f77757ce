"""Question and history in → cited answer out: `Answerer.open(index).ask(question)`."""

from qa.answer import Answerer
from qa.types import Answer, Citation, Turn

__all__ = ["Answer", "Answerer", "Citation", "Turn"]
