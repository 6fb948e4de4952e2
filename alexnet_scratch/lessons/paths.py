"""Short ways through the course: README, the site's front page and `alexnet learn` show these.

After a change here, and when a lesson comes or goes: `python notebooks/paths.py` writes it into
README.md and docs/site/index.md.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Stop(NamedTuple):
    """A lesson, or its sections from the heading `first` to the heading `last`."""

    name: str  # of the notebook
    title: str
    minutes: int
    first: str = ""
    last: str = ""

    @property
    def number(self) -> int:
        return int(self.name[:2])

    @property
    def part(self) -> str:
        """Which sections, in words; "" for all."""
        if not self.first and not self.last:
            return ""
        if self.first == self.last:
            return f'only "{self.first}"'
        return " ".join(
            f'{word} "{heading}"'
            for word, heading in (("from", self.first), ("to", self.last)) if heading
        )  # fmt: skip


class Way(NamedTuple):
    """Stops in their order; `title` says how long it takes."""

    title: str
    what: str
    stops: tuple[Stop, ...]

    @property
    def minutes(self) -> int:
        return sum(stop.minutes for stop in self.stops)


PATHS = (
    Way("Two hours", "what AlexNet is and does, to read and run, without the exercises", (
        Stop("00_whole_game", "The whole game", 20),
        Stop("11_alexnet", "AlexNet, layer by layer", 25, last="Two towers"),
        Stop("11_alexnet", "Why 224 gives 55", 12, "Why 224 gives 55", "Why 224 gives 55"),
        Stop("12_stuck_loss", "Why the loss sticks at 6.9", 30, last="Asleep or dead"),
        Stop("14_inside", "What the filters see", 15, "Figure 3: the filters of the first layer",
             "Exercise 1: how colourful is a filter?"),
        Stop("15_which_pixels", "A map of pixels, put to the test", 10, "The test", "The test"),
        Stop("18_paper_and_code", "What summaries get wrong", 8, "What the summaries say",
             "What the summaries say"),
    )),
    Way("A weekend", "with exercises, to a network of your own code; two days of four hours", (
        Stop("00_whole_game", "The whole game", 20),
        Stop("01_autograd", "Autograd", 60, last="It trains a network"),
        Stop("03_linear", "The linear layer and the loss", 50),
        Stop("04_convolution", "Convolution", 60, last="Exercise 3: backward"),
        Stop("06_relu", "ReLU", 40, last="The paper's precaution: biases of 1"),
        Stop("11_alexnet", "AlexNet", 60),
        Stop("12_stuck_loss", "Why the loss sticks at 6.9", 45),
        Stop("14_inside", "Looking inside", 40, last="Do the towers specialise?"),
        Stop("19_after_2012", "After 2012", 45),
        Stop("20_your_alexnet", "Your AlexNet", 60),
    )),
)  # fmt: skip


def duration(minutes: int) -> str:
    """Minutes as people say them: "45 min", "2 h", "8 h 5 min"."""
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest or not hours))


def markdown(there: Collection[str], folder: str = "") -> str:
    """The ways as Markdown, with links to the notebooks in `folder` that are `there` (names of
    files); a lesson that is not is named without."""
    lines = []
    for way in PATHS:
        lines += [f"**{way.title}** ({duration(way.minutes)}): {way.what}.", ""]
        for stop in way.stops:
            part = f", {stop.part}" if stop.part else ""
            name, file = f"Lesson {stop.number}: {stop.title}", f"{stop.name}.ipynb"
            shown = f"[{name}]({folder}{file})" if file in there else name
            lines.append(f"- {shown}{part} ({duration(stop.minutes)})")
        lines.append("")
    return "\n".join(lines).strip() + "\n"
