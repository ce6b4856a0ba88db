"""HTML of the catalog's texts: its blocks, its tags, and whether it is well-formed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser

ALLOWED = frozenset(
    {"p", "strong", "em", "b", "i", "ul", "ol", "li", "blockquote", "br", "h2", "h3"}
)
BLOCKS = frozenset({"p", "li", "blockquote", "h2", "h3", "div", "td"})
VOID = frozenset({"br", "hr", "img", "input", "meta", "link"})


@dataclass(frozen=True)
class Block:
    """A paragraph, list item, quotation or heading; `strong` is what its emphasis says."""

    tag: str
    text: str
    strong: tuple[str, ...] = ()


@dataclass
class Markup:
    """What was read of some HTML; `faults` say what is wrong with it, in the order found."""

    blocks: list[Block] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lists: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the blocks, a line each."""
        return "\n".join(block.text for block in self.blocks)

    def of(self, tag: str) -> list[Block]:
        """The blocks of one tag."""
        return [block for block in self.blocks if block.tag == tag]


@lru_cache(maxsize=64)
def read_markup(html: str) -> Markup:
    """Read HTML, or plain text, which is one block; never raises. The last few are remembered."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.finish()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.markup = Markup()
        self.open: list[str] = []
        self.pieces: list[str] = []
        self.strong: list[str] = []
        self.counts: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.markup.tags.append(tag)
        if tag not in ALLOWED:
            self.markup.forbidden.append(f"<{tag}>")
        self.markup.forbidden += [f"{tag} {name}=" for name, _ in attrs]
        if tag in BLOCKS or tag in ("ul", "ol"):
            self._block()
        if tag == "li":
            if not self.counts:
                self.markup.faults.append("<li> outside a list")
            else:
                self.counts[-1] += 1
        if tag == "p" and "p" in self.open:
            self.markup.faults.append("<p> within <p>")
        if tag in ("ul", "ol"):
            self.counts.append(0)
        if tag in ("strong", "b"):
            self.strong.append("")
        if tag not in VOID:
            self.open.append(tag)
        elif tag == "br":
            self.pieces.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if tag not in self.open:
            self.markup.faults.append(f"</{tag}> closes nothing")
            return
        if tag in BLOCKS or tag in ("ul", "ol"):
            self._block(tag)
        while self.open:
            last = self.open.pop()
            if last in ("ul", "ol") and self.counts:
                self.markup.lists.append(self.counts.pop())
            if last == tag:
                return
            self.markup.faults.append(f"<{last}> is not closed before </{tag}>")

    def handle_data(self, data: str) -> None:
        if "script" in self.open or "style" in self.open:
            return
        if re.search(r"<\s*/?\s*[a-z]", data, re.IGNORECASE):
            self.markup.faults.append("a tag is cut off")
        self.pieces.append(data)
        if self.strong and ("strong" in self.open or "b" in self.open):
            self.strong[-1] += data

    def unknown_decl(self, data: str) -> None:
        self.markup.faults.append("a declaration")

    def finish(self) -> Markup:
        if self.rawdata.strip():
            self.markup.faults.append("a tag is cut off")
        self._block()
        self.markup.faults += [f"<{tag}> is not closed" for tag in reversed(self.open)]
        self.markup.lists += self.counts
        return self.markup

    def _block(self, tag: str = "") -> None:
        """What was collected becomes a block of the innermost block that is open."""
        text = " ".join("".join(self.pieces).split())
        if text:
            within = next((one for one in reversed(self.open) if one in BLOCKS), tag or "")
            strong = tuple(" ".join(one.split()) for one in self.strong if one.strip())
            self.markup.blocks.append(Block(within, text, strong))
        self.pieces, self.strong = [], []
