"""Descriptions of versions for others' programs: OpenAPI out, WSDL in."""
