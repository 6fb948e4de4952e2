"""The recorded graph of a tensor: as text, as DOT, its memory, and its backward step by step."""

from .page import Player, Step
from .player import player
from .recorded import Kept, nodes_of, saved_by_operation, saved_bytes, to_dot, to_text

__all__ = [
    "Kept", "Player", "Step", "nodes_of", "player", "saved_by_operation", "saved_bytes", "to_dot",
    "to_text",
]  # fmt: skip
