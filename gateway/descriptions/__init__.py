"""Descriptions that need more than the registry knows: WSDL in, OpenAPI out. OpenAPI in is `registry.descriptions`."""
