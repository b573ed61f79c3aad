"""docs/reference/transforms.md: what a mapping can say."""

import json

from gateway.transforms.functions import BARRED, FUNCTIONS
from gateway.transforms.json_text import MAX_DEPTH
from gateway.transforms.plain import CHEAP, OURS

HEAD = """\
# Transforms

Made from the code by `make docs`. How to write one: [write a mapping](../how-to/write-a-mapping.md).

An operation of a version declares how its messages are changed, in order, on the way to the provider (`request`) and on the way back
(`reply`), and examples that must hold:

```yaml
operations:
  - name: traCuu
    method: POST
    path: /tra-cuu
    transforms:
      request:
        - {kind: jsonata, settings: {mapping: '{"ten": $name(hoTen, "upper")}'}}
      reply:
        - {kind: xml-to-json, settings: {root: KetQua, fields: {CongDan: {list: true, fields: {HoTen: }}}}}
      examples:
        - {direction: request, given: '{"hoTen": "Nguyễn Văn An"}', expected: '{"ten": "NGUYỄN VĂN AN"}'}
```

A request without a body, and an answer without one or with another status than 2xx, are passed on as they are. Success rules read the
provider's own answer; what a grant releases is read from the changed one. A request that cannot be changed is
[`request-not-transformed`](problems.md) (422), an answer `reply-not-transformed` (502); a mapping that uses more than it may is
`transform-failed` (500). The problem names why and where, never what stands there.

| why | what |
|---|---|
| `malformed`, `encoding` | not JSON or XML, not UTF-8, a byte order mark, half of a surrogate pair, a wrong declared encoding |
| `duplicate-key`, `number-out-of-range`, `too-deep`, `too-large` | JSON that can be read in two ways, or is more than may be read |
| `doctype`, `xinclude` | XML that reaches for other documents |
| `unexpected`, `missing` | a document of another shape than declared |
| `value-unreadable` | a function of ours was given what it cannot read |
| `mapping-failed`, `nothing` | the mapping does not suit the document, or finds nothing in it |
| `limit` | more time, memory or steps than the mapping may use |

## `jsonata`

JSON in, JSON out, by a mapping in JSONata 2.

| setting | meaning |
|---|---|
| `mapping` | the mapping |
| `numbers` | `exact` (default): numbers stay numbers where a double carries them exactly, else (integers beyond 2⁵³, more than 15 digits) become text with the same digits. `text`: all numbers become text as they are written, for money and for codes that come as numbers |
| `code_lists` | the registry's code lists that the mapping uses |
| `limits` | `seconds`, `steps`, `depth`, `text_bytes`, `items`, `result_bytes`: the most that a run may use. A small document gets half a second, a megabyte of text and result, 20,000 items and a million steps; a larger one more, up to these |

`undefined` leaves a field out, `null` is written as null. A list of one becomes its item unless `[]` follows the name (`muc[].ma`) or stands
around (`[muc.ma]`). Texts are counted in characters, not bytes.

"""

OPERATORS = """\
### Operators

`.` `[ ]` `[ ]` after a name to keep a list · `{ }` to make an object, or to group behind a path · `[ , ]` `[ .. ]` to make a list · `&` joins texts ·
`+` `-` `*` `/` `%` · `=` `!=` `<` `<=` `>` `>=` `in` · `and` `or` · `? :` `??` `?:` · `:=` `;` in parentheses · `function( ) { }`, `λ` · `?` as an argument to fill
later · `~>` · `^( )` sorts · `| | |` changes · `*` `**` `%` reach any child, any depth, the parent · `@` `#` bind item and position · `$` the
context, `$$` the document · `/ /` a regular expression · `` ` ` `` around names with other characters · `/* */` a comment

"""

LANGUAGE = {
    "text": "string length substring substringBefore substringAfter uppercase lowercase trim pad contains split join match replace "
    "base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl",
    "numbers": "number abs floor ceil round power sqrt formatNumber formatBase formatInteger parseInteger sum max min average",
    "logic": "boolean not exists",
    "lists": "count append sort reverse distinct zip",
    "objects": "keys lookup spread merge each sift type",
    "with functions": "map filter reduce single",
    "moments that are given": "toMillis fromMillis",
}  # fmt: skip
"""The functions of JSONata that mappings may call: what they are about, and their names."""

XML = f"""\
## `xml-to-json` and `json-to-xml`

One declaration reads and writes. XML is read by name, whatever the order, and written in the order of the declaration. JSON is the
content of the root element.

| setting | meaning |
|---|---|
| `root` | the root element, `prefix:name` |
| `namespaces` | prefix → namespace; the prefix `""` is for names without one. An element without a prefix has that of its parent |
| `fields` | the elements of the root, in order: name → field |
| `unknown` | what is not declared: `drop` (default of `xml-to-json`) or `refuse` (default of `json-to-xml`) |
| `at` | a JSON pointer: the XML stands there, as a text in a JSON message |
| `declaration` | whether the line `<?xml …?>` is written: by default unless `at` is given |
| `media_type` | of what `json-to-xml` writes: `text/xml; charset=utf-8` |
| `byte_order_mark` | `refuse` (default) or `drop` one before UTF-8 |

| field | meaning |
|---|---|
| (nothing) | an element of the field's name with a text in it, at most once |
| `element` | another name in XML |
| `attribute` | an attribute of this name |
| `text: true` | the text of an element that has attributes, too |
| `type` | `text` (default), `integer`, `number`, `boolean`. Numbers that a double does not carry stay text |
| `list: true` | a list, also of one or none |
| `required: true` | missing is an error |
| `nil: true` | null is written with `xsi:nil`, which is always read as null |
| `cdata: true` | written as CDATA |
| `fields` | what the element holds |
| `document` | the element's text is an XML document: `root`, `namespaces`, `fields` |

Accepted are UTF-8 and UTF-16 without document type, entities of its own, XInclude or more than 256 levels; JSON has at most {MAX_DEPTH}.
"""


def reference() -> str:
    """Return the page."""
    return HEAD + _functions() + OPERATORS + _language() + _where() + XML


def _functions() -> str:
    rows = "".join(
        f"| `${function.name}({function.parameters})` | {function.summary} | `{_escaped(function.example[0])}` → "
        f"`{_escaped(json.dumps(function.example[1], ensure_ascii=False))}` |\n"
        for function in FUNCTIONS
    )
    return (
        "### Functions for the field's needs\n\n"
        "What is absent, null or empty stays absent; what cannot be read is an error and never guessed.\n\n"
        f"| function | meaning | example |\n|---|---|---|\n{rows}\n"
        "Forms of dates are made of `yyyy yy MM dd HH mm ss fff` and what stands between them, or are `ms` and `s` (since 1970) "
        "and `iso`; letters stand between apostrophes. With `|` between, the first that fits is read, and the first for which enough is "
        "known is written. A month or day of `00` is one that nobody knows. Days are Vietnam's. Six digits and `ddMMyyyy` can be "
        "read in two ways and need their form.\n\n"
    )


def _language() -> str:
    rows = "".join(
        f"| {about} | {' '.join(f'`${name}`' for name in names.split())} |\n"
        for about, names in LANGUAGE.items()
    )
    barred = ", ".join(f"`${name}`" for name in BARRED)
    return (
        f"### JSONata's own functions\n\n| about | functions |\n|---|---|\n{rows}\n"
        f"A mapping gives the same for the same message, always; so {barred} are barred: "
        "a call of one, like one of a function that there is not, is refused when the version is registered.\n\n"
    )


def _where() -> str:
    cheap = " ".join(f"`${name}`" for name in sorted(CHEAP - OURS))
    return (
        "### Where a mapping runs\n\n"
        "A *plain* mapping runs in the node and costs some 15 µs. It uses no `:=`, functions of its own, `~>`, regular expressions, "
        "`..`, `^`, `@`, `#`, grouping, wild cards or parents, reaches into nothing that it has itself made, and calls only our functions and "
        f"{cheap}. Every other mapping runs in a guest process, limited and killed when it takes too long, and costs "
        "some 50 µs more.\n\n"
    )


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
