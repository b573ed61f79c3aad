"""SOAP providers. Open `connector.py` for what happens in a call, `wsdl.py` for how a description is read."""
