"""Versions in YAML: what is ours is text where it looks like a number, what is the provider's stays what it is."""

from registry.entities import Kind
from registry.wanted import parse_yaml

VERSION = """
versions:
- service: ViDu
  version: 1.10
  endpoints: {sandbox: {connector: echo}}
  schemas: {Ma: {enum: [{code: 5, version: 1.5, operations: [1], name: no}]}}
  operations:
  - name: a1
    path: /x
    reply:
      schema: {properties: {code: {const: 7}}, default: {edition: 2}}
      examples: {mot: {code: 7, name: 3, ngay: 2020-01-01}}
  - name: a2
    path: /y
"""


def test_numbers_inside_schemas_and_examples_stay_numbers() -> None:
    (wanted,) = parse_yaml(VERSION)

    assert (wanted.kind, wanted.label) == (Kind.VERSION, "ViDu/1.10")
    assert wanted.document["schemas"]["Ma"]["enum"] == [
        {"code": 5, "version": 1.5, "operations": [1], "name": False}
    ]
    reply = wanted.document["operations"][0]["reply"]
    assert reply["schema"] == {"properties": {"code": {"const": 7}}, "default": {"edition": 2}}
    assert reply["examples"] == {"mot": {"code": 7, "name": 3, "ngay": "2020-01-01"}}
