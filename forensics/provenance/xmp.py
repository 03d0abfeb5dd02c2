"""XMP properties of the image itself: a tolerant walk over the packet, linear in its length.

The packet is never given to an XML parser, so that entities can do no harm and one error does not lose the rest.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_PROPERTIES, MOST_ITEMS, LONGEST_VALUE = 3000, 50, 1 << 20
DEEPEST, MOST_TAGS = 60, 30_000
# Photoshop's lists of strings, up to megabytes of them; they say nothing of the image and are passed over.
_LONG_LISTS = ("photoshop:DocumentAncestors", "xmpMM:History")
_SPECIAL = re.compile(r"[<>\"']")


@dataclass(frozen=True, slots=True)
class Property:
    """One value of a property; `name` is prefixed as written, `parent/name` for a field of a structure."""

    name: str
    value: str

    @property
    def local(self) -> str:
        """The name without prefixes."""
        return "/".join(_local(part) for part in self.name.split("/"))


def xmp_text(packet: bytes) -> str:
    """The packet as text, whatever Unicode encoding it has."""
    if packet[:200].count(b"\0") > 20:
        return packet.decode("utf-16-be" if packet[:1] == b"\0" else "utf-16-le", "replace")
    return packet.decode("utf-8", "replace")


def xmp_properties(xmp: str) -> tuple[Property, ...]:
    """The properties that a packet gives to the image: those of its top-level descriptions.

    What stands deeper, in a pantry, among ingredients or in the history, is about other images or earlier versions.
    Only the first MOST_PROPERTIES values are read, MOST_ITEMS of each list.
    """
    found: list[Property] = []
    for one in _Walk(xmp).properties():
        found.append(one)
        if len(found) >= MOST_PROPERTIES:
            break
    return tuple(found)


@dataclass(slots=True)
class _Tag:
    name: str
    attributes: list[tuple[str, str]] = field(default_factory=list)
    closing: bool = False
    empty: bool = False
    before: str = ""


class _Walk:
    """One pass over a packet."""

    def __init__(self, xmp: str) -> None:
        self._xmp = xmp
        self._stack: list[str] = []
        self._about = ""
        # How deep the description lies that is being read, then the property in it; 0 outside of one.
        self._description = self._property = 0
        self._texts: list[str] = []
        self._inner: list[str] = []
        self._items = 0

    def properties(self) -> Iterator[Property]:
        """The properties in order."""
        for tag in _tags(self._xmp):
            if self._property:
                self._texts.append(tag.before)
                self._inner.append(tag.before)
            if not tag.closing:
                yield from self._opened(tag)
            if tag.closing or tag.empty:
                yield from self._closed(tag.name)

    def _opened(self, tag: _Tag) -> Iterator[Property]:
        if len(self._stack) >= DEEPEST:
            return
        self._stack.append(tag.name)
        depth = len(self._stack)
        if self._property:
            self._inner = []
            if depth <= self._property + 3 and _local(tag.name) in ("li", "Description"):
                yield from self._fields(tag)
        elif self._description:
            self._property, self._texts, self._inner, self._items = depth, [], [], 0
            yield from self._fields(tag)
        elif [_local(name) for name in self._stack[-2:]] == ["RDF", "Description"] and self._is_of_the_image(tag):
            self._description = depth
            yield from (Property(n, v) for n, v in tag.attributes if not n.startswith(("xmlns", "rdf:")))

    def _closed(self, name: str) -> Iterator[Property]:
        if name not in self._stack:
            return
        while True:
            depth, top = len(self._stack), self._stack.pop()
            if depth == self._property:
                self._property = 0
                if not self._items and (value := _clean("".join(self._texts))):
                    yield Property(top, value)
            elif self._property:
                yield from self._inside(top)
            elif depth == self._description:
                self._description = 0
            if top == name:
                return

    def _inside(self, name: str) -> Iterator[Property]:
        """A list item, or a field of a structure, that just ended."""
        value = _clean("".join(self._inner))
        self._inner = []
        if not value or self._items >= MOST_ITEMS:
            return
        self._items += 1
        top = self._stack[self._property - 1]
        yield Property(top if _local(name) == "li" else f"{top}/{name}", value)

    def _fields(self, tag: _Tag) -> Iterator[Property]:
        """What the attributes of a property's element say: a resource, or fields of a structure."""
        top = self._stack[self._property - 1]
        for name, value in tag.attributes[:MOST_ITEMS]:
            if name == "rdf:resource":
                yield Property(top, value)
            elif not name.startswith(("rdf:", "xml")):
                yield Property(f"{top}/{name}", value)

    def _is_of_the_image(self, tag: _Tag) -> bool:
        """All descriptions of a packet are about the same thing; one about another document is not of this image."""
        about = dict(tag.attributes).get("rdf:about", "")
        self._about = self._about or about
        return not about or about == self._about


def _tags(xmp: str) -> Iterator[_Tag]:
    """Each tag with the text before it; comments and processing instructions are passed over."""
    at, text_from, before = 0, 0, ""
    for _ in range(MOST_TAGS):
        if (start := xmp.find("<", at)) < 0:
            return
        before += xmp[text_from:start]
        for mark, end in (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">")):
            if xmp.startswith(mark, start):
                stop = xmp.find(end, start + len(mark))
                if stop < 0:
                    return
                before += xmp[start + len(mark) : stop] if mark == "<![CDATA[" else ""
                at = text_from = stop + len(end)
                break
        else:
            tag, at = _tag(xmp, start + 1)
            if tag is None:
                return
            if tag.name in _LONG_LISTS and not tag.closing and not tag.empty:
                at = max(at, xmp.find(f"</{tag.name}>", at))
            tag.before, before, text_from = before, "", at
            yield tag


def _tag(xmp: str, start: int) -> tuple[_Tag | None, int]:
    """The tag whose `<` stands before `start`, and where it ends; None where it does not end."""
    attributes: list[tuple[str, str]] = []
    at = piece = start
    while found := _SPECIAL.search(xmp, at):
        mark, at = found.group(), found.end()
        if mark == ">":
            head = xmp[start : found.start()]
            name = head.lstrip("/").replace("/", " ").split(maxsplit=1)
            return _Tag(name[0] if name else "", attributes, head.startswith("/"), head.endswith("/")), at
        if mark == "<":
            # The tag before was never closed; the next one starts here.
            return _Tag("", empty=True), found.start()
        stop = xmp.find(mark, at)
        if stop < 0:
            return None, len(xmp)
        key = xmp[piece : found.start()].rstrip()
        if key.endswith("="):
            named = key[:-1].split()
            if named:
                attributes.append((named[-1], html.unescape(xmp[at:stop][:LONGEST_VALUE]).strip()))
        at = piece = stop + 1
    return None, len(xmp)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _clean(text: str) -> str:
    return html.unescape(text[:LONGEST_VALUE]).strip()
