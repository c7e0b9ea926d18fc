"""Output without blanks at ends of lines, with which tables fill their last column: a file or a pipe needs none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment


class Unpadding(RenderHook):
    """Takes the blanks away from all that a console prints."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what is printed instead."""
        return [Unpadded(renderable) for renderable in renderables]


@dataclass(frozen=True)
class Unpadded:
    """Something to be printed without blanks at ends of its lines."""

    content: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the content, and leave the blanks out."""
        return _unpadded([*console.render(self.content, options)])


def _unpadded(segments: Iterable[Segment]) -> list[Segment]:
    kept: list[Segment] = []
    at_end = False
    for segment in reversed([*segments]):
        if not segment.control:
            *above, last = segment.text.split("\n")
            if at_end:
                last = last.rstrip(" ")
            text = "\n".join([*(line.rstrip(" ") for line in above), last])
            at_end = text.startswith("\n") or (at_end and not text)
            segment = Segment(text, segment.style)
        kept.append(segment)
    return kept[::-1]
