"""Takes the formatting out of a text: HTML and SSML tags, entities, Markdown.

markdown-it-py and `html.parser` say what is formatting; neither says where in the source a word
stands, which word times need, so the words that they return are looked up in the source in order.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

import regex

from modules.core_components.text.reading.offset_text import OffsetText

_HTML_TAGS = frozenset(
    [
        "a",
        "abbr",
        "address",
        "article",
        "aside",
        "audio",
        "b",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "data",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "font",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "i",
        "img",
        "input",
        "ins",
        "kbd",
        "label",
        "legend",
        "li",
        "link",
        "main",
        "map",
        "mark",
        "meta",
        "nav",
        "noscript",
        "ol",
        "optgroup",
        "option",
        "output",
        "p",
        "picture",
        "pre",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "script",
        "section",
        "select",
        "small",
        "source",
        "span",
        "strike",
        "strong",
        "style",
        "sub",
        "summary",
        "sup",
        "svg",
        "table",
        "tbody",
        "td",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "video",
        "wbr",
    ]
)
_SSML_TAGS = frozenset(
    [
        "speak",
        "voice",
        "prosody",
        "emphasis",
        "break",
        "say-as",
        "phoneme",
        "lang",
        "lexicon",
        "audio",
        "desc",
        "w",
        "token",
        "mstts:express-as",
        "amazon:effect",
        "amazon:domain",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "caption",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "td",
        "th",
        "title",
        "tr",
        "ul",
        "speak",
    ]
)
_UNSPOKEN = frozenset(("script", "style"))
_MAY_BE_HTML = re.compile(r"<[/!a-zA-Z]|&#?\w{1,31};")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_MAY_BE_MARKDOWN = regex.compile(
    r"[*`~\\|]|(?<!\p{L})_|_(?!\p{L})|\[|^\s{0,3}(?:#{1,6}\s|>|[-+]\s|-{3,}|={2,}|\d+[.)]\s)",
    flags=regex.MULTILINE,
)
_ENDS_A_SENTENCE = regex.compile(r"[.!?…:;,。！？：；，、।॥؟۔][\p{Pe}\p{Pf}\"']*\s*$")
_LIST_NUMBER = re.compile(r"\d{1,9}(?=[.)]\s)")
_ADDRESS = re.compile(
    r"^(?:[a-z][a-z+]{1,9}:|/|\.{1,2}/|#|\?|www\.)|^[\w%-]+(?:\.[\w%-]+)+(?:[/?#:]|$)|^[\w%./-]+/[\w%./-]+$",
    re.IGNORECASE,
)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,20}\]:?")
_TASK = re.compile(r"^(\s*[-*+]\s+)\[[ xX]\]\s", re.MULTILINE)


def without_formatting(text: OffsetText) -> OffsetText:
    """`text` with its formatting taken out.

    Headings, list items and table cells end in a mark, so that they do not run into what follows.
    Tags that neither HTML nor SSML knows ("List<String>") and list numbers stay; comments, scripts
    and styles go.
    """
    if _MAY_BE_HTML.search(text.text):
        text = _without_tags(text)
    if _MAY_BE_MARKDOWN.search(text.text):
        text = text.replaced(_FOOTNOTE, "").replaced(_TASK, lambda item: item[1])
        text = _without_markdown(text)
    return text


# -- HTML and SSML ---------------------------------------------------------------------------------


def _without_tags(text: OffsetText) -> OffsetText:
    parser = _TagFinder(text.text)
    text = text.with_changes(parser.changes())
    return text.replaced(_ENTITY, lambda entity: _character(entity[0]))


def _character(entity: str) -> str:
    # Without its semicolon an entity is ordinary text ("AT&T;" is none at all).
    character = html.unescape(entity)
    return " " if character == "\u00a0" else character


class _TagFinder(HTMLParser):
    """Finds the tags in a text, and the text that is replaced with them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self._text = text
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found: list[tuple[int, int, str]] = []
        self._unspoken: tuple[str, int] | None = None
        self._alias_from: int | None = None

    def changes(self) -> Iterator[tuple[int, int, str]]:
        """(start, end, replacement) in order, none within another."""
        self.feed(self._text)
        end = 0
        for change in sorted(self._found):
            if change[0] >= end:
                yield change
                end = change[1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = self.get_starttag_text() or ""
        # "a <b and c> d" compares; an attribute of a tag has a value.
        if not self._is_known(tag) or any(value is None for _, value in attrs):
            return
        start = self._position()
        named = dict(attrs)
        if tag in _UNSPOKEN and not source.endswith("/>"):
            self._unspoken = (tag, start)
            return
        replacement = _gap(tag)
        if tag == "sub" and named.get("alias"):
            self._alias_from, replacement = start, f"{named['alias']}"
            self._found.append((start, start + len(source), replacement))
            return
        if tag == "img" and named.get("alt"):
            replacement = f" {named['alt']} "
        self._found.append((start, start + len(source), replacement))

    def handle_endtag(self, tag: str) -> None:
        start = self._position()
        close = self._text.find(">", start)
        end = close + 1 if close >= 0 else len(self._text)
        if self._unspoken and self._unspoken[0] == tag:
            self._found.append((self._unspoken[1], end, " "))
            self._unspoken = None
        elif tag == "sub" and self._alias_from is not None:
            opened = self._text.index(">", self._alias_from) + 1
            self._found.append((opened, end, ""))
            self._alias_from = None
        elif self._is_known(tag):
            self._found.append((start, end, _gap(tag)))

    def handle_comment(self, data: str) -> None:
        start = self._position()
        if self._text.startswith("<!--", start):
            end = self._text.find("-->", start)
            self._found.append((start, end + 3 if end >= 0 else len(self._text), " "))

    def handle_decl(self, decl: str) -> None:
        if decl.lower().startswith("doctype"):
            start = self._position()
            self._found.append((start, start + len(decl) + 3, " "))

    def handle_pi(self, data: str) -> None:
        if data.startswith("xml"):
            start = self._position()
            self._found.append((start, start + len(data) + 3, " "))

    def _is_known(self, tag: str) -> bool:
        return tag in _HTML_TAGS or tag in _SSML_TAGS

    def _position(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column


def _gap(tag: str) -> str:
    return "\n" if tag in _BLOCKS else ""


# -- Markdown --------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _markdown() -> Any:
    from markdown_it import MarkdownIt

    # A definition of a reference ("[Anna]: Hello") would take a line of a script away.
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # "[Anna](whispering)" is text: only an address is taken out with the brackets.
    parser.validateLink = lambda address: _ADDRESS.search(address) is not None
    return parser.disable(["reference", "html_inline", "html_block", "text_join", "code", "entity"])


def _without_markdown(text: OffsetText) -> OffsetText:
    source = text.text
    changes: list[tuple[int, int, str]] = []
    position = 0
    before = ""
    for content, written, gap in _contents(source):
        start = source.find(written, position)
        if start < 0:  # what the parser changed in more ways than known here stays as it is
            continue
        _add_gap(changes, source, position, start, gap, before)
        if content != written:
            changes.append((start, start + len(written), content))
        position = start + len(written)
        before = source[max(0, position - 8) : position]
    _add_gap(changes, source, position, len(source), "", before)
    return text.with_changes(changes)


def _add_gap(
    changes: list[tuple[int, int, str]], source: str, start: int, end: int, gap: str, before: str
) -> None:
    """Replaces `source[start:end]`, which is formatting or white space, by the `gap`."""
    written = source[start:end]
    if not written:
        return
    number = _LIST_NUMBER.search(written)
    if number is not None:  # "1. First": the number is part of what the list says
        _add_gap(changes, source, start, start + number.start(), gap, before)
        following = start + number.end() + 1
        if following < end:
            _add_gap(changes, source, following, end, " ", "")
        return
    new = gap if gap.strip() == "" or not _ENDS_A_SENTENCE.search(before) else gap.lstrip(".,")
    if gap == "" and written.isspace():
        new = written
    if new != written:
        changes.append((start, end, new))


def _contents(source: str) -> Iterator[tuple[str, str, str]]:
    """The texts of a document in order: what is spoken, how it stands in the source, and what
    parts it from the text before it."""
    gap = ""
    for token in _markdown().parse(source):
        if token.type == "inline":
            for child in token.children or ():
                if child.type == "text_special":
                    yield child.content, child.markup, gap
                elif child.type in ("text", "code_inline") and child.content:
                    yield child.content, child.content, gap
                elif child.type == "image":
                    for part in child.children or ():
                        if part.content:
                            yield part.content, part.content, gap
                            gap = ""
                elif child.type in ("softbreak", "hardbreak"):
                    gap = "\n"
                    continue
                else:
                    continue
                gap = ""
        elif token.type in ("fence", "code_block"):
            for line in token.content.splitlines():
                if line.strip():
                    yield line.strip(), line.strip(), gap or "\n"
                    gap = "\n"
            gap = "\n"
        elif token.type in ("heading_close", "list_item_close", "tr_close"):
            gap = ".\n"
        elif token.type in ("td_close", "th_close"):
            gap = ", "
        elif token.type == "paragraph_close" and not gap.startswith("."):
            gap = ".\n" if token.hidden else "\n\n"
