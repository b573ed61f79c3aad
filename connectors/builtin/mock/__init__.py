"""A provider made from a description, OpenAPI or WSDL. Start at `connector.py`; whom it invents stands in `people.py`."""
