"""Contracts of services, compiled: what a message must look like, and where one does not. Pure, but for `counts`.

Open `compiled` first: it makes the checks of an operation from its declaration. `json_bodies`, `xml_bodies` and
`parameters` are the kinds of check, `work` runs them in a guest process where they may take long.
"""
