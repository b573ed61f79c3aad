"""The schemas of answers that are no entities, written by hand; `describe` makes those of the entities."""

from collections.abc import Mapping
from typing import Any

from registry.entities import ENTITIES, SPECS, Kind
from registry.register import STEPS

Schema = dict[str, Any]  # Any: a JSON Schema

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
ANYTHING: Schema = {"type": "object"}


def kept_name(kind: Kind) -> str:
    """Name the schema of an object as the API shows it."""
    return f"Kept{ENTITIES[kind].__name__}"


def page_name(kind: Kind) -> str:
    """Name the schema of a page of objects."""
    return f"{ENTITIES[kind].__name__}Page"


def spec_name(kind: Kind) -> str:
    """Name the schema of what a person may write."""
    name = SPECS[kind].__name__
    return name if name.endswith("Spec") else f"{name}Spec"


def step_name(kind: Kind, step: str) -> str:
    """Name the schema of a step's parameters."""
    return STEPS[kind][step].__name__


def record(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """Write the schema of an object whose members are all there, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def items(schema: Schema) -> Schema:
    """Write the schema of a list."""
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    """Refer to a schema of the description."""
    return {"$ref": f"#/components/schemas/{name}"}


TRANSFORM_FAULT: Schema = {
    **record(
        {
            "transform": COUNT,
            "at": {"enum": ["settings", "mapping", "document"]},
            "code": TEXT,
            "message": TEXT,
            "pointer": TEXT,
            "line": {"type": ["integer", "null"]},
            "column": {"type": ["integer", "null"]},
        }
    ),
    "type": ["object", "null"],
}
CHECKPOINT: Schema = {
    **record({"number": COUNT, "head": TEXT, "at": COUNT}),
    "type": ["object", "null"],
    "description": "The newest checkpoint of the ledger; `at` is in microseconds since 1970.",
}
VIOLATION = record(
    {
        **dict.fromkeys(("environment", "consumer", "version", "operation"), TEXT),
        "direction": {"enum": ["request", "reply"]},
        "mode": {"enum": ["shadow", "enforce"]},
        "at": {"enum": ["body", "path", "query", "header"]},
        "pointer": TEXT,
        "rule": TEXT,
        "count": COUNT,
        "first_at": MOMENT,
        "last_at": MOMENT,
    }
)
PROOF: Schema = {
    **record(
        {"header": TEXT, "signature": TEXT, "path": items(TEXT), "checkpoint": {"type": ["string", "null"]}}
    ),
    "type": ["object", "null"],
}
LEDGER_KEY = record(
    {
        **dict.fromkeys(("id", "public", "statement", "signature", "endorsement"), TEXT),
        **dict.fromkeys(("number", "from", "retires"), COUNT),
    }
)
DIFFERENCE = record({"pointer": TEXT, "before": {}, "after": {}})
FLAW = record(
    {
        "pointer": {"type": "string", "description": "A JSON pointer into the body."},
        "parameter": {"type": "string", "description": "A parameter of the query."},
        "code": TEXT,
        "message": TEXT,
        "messages": record({"vi": TEXT, "en": TEXT}),
    },
    optional=("pointer", "parameter"),
)
STEP = record(
    {
        "step": {"enum": ["dns", "tcp", "tls", "credentials", "contract"]},
        "ok": {"type": ["boolean", "null"]},
        "detail": TEXT,
        "milliseconds": {"type": ["number", "null"]},
    }
)
ENDPOINT = record(
    {
        "environment": {"enum": ["production", "sandbox"]},
        "connector": TEXT,
        "ok": {"type": "boolean"},
        "steps": items(STEP),
    }
)
CHANGE = record(
    {
        "action": TEXT,
        "kind": TEXT,
        "id": TEXT,
        "label": TEXT,
        "version": COUNT,
        "diff": items(DIFFERENCE),
    }
)
REVISION = record(
    {
        "number": COUNT,
        "at": MOMENT,
        "author": TEXT,
        "author_name": TEXT,
        "via": {"enum": ["api", "local"]},
        "changes": items(CHANGE),
    }
)


NUMBER: Schema = {"type": ["number", "null"]}
PLANNED = record(
    {
        "kind": TEXT,
        "label": TEXT,
        "pointer": TEXT,
        "change": {"enum": ["create", "replace", "steps", "unchanged"]},
        "id": MAYBE_TEXT,
        "expected_version": {"type": ["integer", "null"]},
        "steps": items(TEXT),
        "waiting": items(TEXT),
        "diff": items(DIFFERENCE),
    }
)
DAY: Schema = {"type": "string", "format": "date"}
SHARE: Mapping[str, Schema] = {
    "needed": COUNT,
    "connected": COUNT,
    "share_percent": NUMBER,
    "over_half": {"type": ["boolean", "null"]},
}
BY_MODE = record(
    {
        "mode": TEXT,
        "counted": {"type": "boolean"},
        "systems": COUNT,
        "connections": COUNT,
        "declared": COUNT,
    }
)
DENOMINATOR_CHANGE = record({"day": DAY, "action": TEXT, "label": TEXT, "author": TEXT, "reason": TEXT})
USAGE_SUM = record(
    {
        "group": ANYTHING,
        "count": COUNT,
        "request_bytes": COUNT,
        "reply_bytes": COUNT,
        "latency_ms": record({"p50": NUMBER, "p95": NUMBER, "p99": NUMBER}),
    }
)
SUMMARY = record(
    {
        "at": {"type": "integer", "description": "Microseconds since 1970."},
        "exchange": TEXT,
        "environment": TEXT,
        "client": TEXT,
        "consumer": TEXT,
        "provider": TEXT,
        "service": TEXT,
        "version": TEXT,
        "operation": TEXT,
        "outcome": TEXT,
        "reason": TEXT,
        "status": COUNT,
        "delivered": TEXT,
        "total_us": COUNT,
    }
)
MAYBE_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
COUNT_DIFFERENCE = record(
    {
        "hour": MOMENT,
        "service": TEXT,
        "operation": MAYBE_TEXT,
        "kind": {"enum": ["count", "success", "missing-there", "missing-here"]},
        **dict.fromkeys(("ours", "ours_success", "uncertain"), COUNT),
        **dict.fromkeys(("theirs", "theirs_success"), MAYBE_COUNT),
    }
)
SUBJECT_KEY = record(
    {
        "id": TEXT,
        "created_at": MOMENT,
        "destroyed_at": {"type": ["string", "null"], "format": "date-time"},
        "writes": {"type": "boolean", "description": "Whether records are written under it now."},
    }
)
LOOKED_AT = record(
    {
        "at": {"type": "integer", "description": "Microseconds since 1970."},
        **dict.fromkeys(
            ("exchange", "environment", "client", "consumer", "provider", "service", "version", "operation"),
            TEXT,
        ),
        **dict.fromkeys(("national_database", "purpose", "procedure", "officer", "officer_rule"), TEXT),
        **dict.fromkeys(("outcome", "reason", "delivered", "subject_key"), TEXT),
    }
)
CHAINED = record({"node": TEXT, "slot": COUNT, "batch": COUNT, "position": COUNT})
OPERATION = record(
    {"name": TEXT, "method": TEXT, "path": TEXT, "title_vi": TEXT, "title_en": TEXT, "effect": TEXT}
)
BOTH = record({"vi": TEXT, "en": TEXT})
NOT_TAKEN = record(
    {
        "pointer": {"type": "string", "description": "A JSON pointer into the description."},
        "code": TEXT,
        "detail": TEXT,
        "why": BOTH,
        "instead": BOTH,
    }
)
TOLD = record({"title": TEXT, "detail": TEXT})

PROBLEM: Schema = record(
    {
        "type": {"type": "string", "description": "`/problems/<code>`, an address on this node."},
        "title": TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": TEXT,
        "instance": {"type": "string", "description": "`urn:uuid:` and the exchange's id."},
        "code": {"type": "string", "description": "Stable; programs go by this."},
        "turn": {"enum": ["consumer", "province", "hub", "provider"]},
        "retry": record({"helps": {"type": "boolean"}, "after_seconds": {"type": ["integer", "null"]}}),
        "sent": {"type": "boolean"},
        "messages": record({"vi": TOLD, "en": TOLD}),
        "errors": items(FLAW),
        "difference": items(DIFFERENCE),
        "current": ANYTHING,
        "details": ANYTHING,
    },
    optional=("instance", "errors", "difference", "current", "details"),
)

VERDICT: Schema = {"enum": ["breaking", "unknown", "compatible"]}
VERSION_CHANGE = record(
    {
        "verdict": VERDICT,
        "rule": {"type": "string", "description": "Stable; programs go by this."},
        "way": {"enum": ["request", "reply"]},
        "pointer": {"type": "string", "description": "Into the old version, or the new one for what is new."},
        "operation": TEXT,
        "field": {
            "type": ["string", "null"],
            "description": "The field of the message, lists walked through.",
        },
        "detail": TEXT,
        "environment": TEXT,
        "messages": record({"vi": TEXT, "en": TEXT}),
    }
)
CHANGE_FIGURES = record(
    dict.fromkeys(
        ("breaking", "unknown", "compatible", "consumers", "consumers_broken", "consumers_unsure"), COUNT
    )
)

CONNECTOR = record(
    {
        "kind": TEXT,
        "version": TEXT,
        "package": TEXT,
        "capabilities": ANYTHING,
        "settings": ANYTHING,
        "broken": TEXT,
    },
    optional=("version", "capabilities", "settings", "broken"),
)

SCHEMAS: Mapping[str, Schema] = {
    "RegistryFile": {
        "type": ["object", "null"],
        "description": "Lists of objects under the names of their kinds; references are codes or ids. May be empty.",
        "properties": {kind.value: items(ANYTHING) for kind in Kind},
        "additionalProperties": False,
    },
    "Plan": record(
        {
            "applied": {"type": "boolean"},
            "revision": COUNT,
            "versions": {"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
            "items": items(PLANNED),
            "total": record({"create": COUNT, "replace": COUNT, "steps": COUNT, "unchanged": COUNT}),
        }
    ),
    "ImportedInventory": record(
        {
            "applied": {"type": "boolean"},
            "revision": COUNT,
            "accepted": COUNT,
            "refused": items(record({"sheet": TEXT, "row": COUNT, "errors": items(FLAW)})),
            "plan": ANYTHING,
        }
    ),
    "Connectivity": record(
        {
            "unit": MAYBE_TEXT,
            "unit_id": MAYBE_TEXT,
            "database": MAYBE_TEXT,
            "mode": MAYBE_TEXT,
            "nation": TEXT,
            "on": DAY,
            "first_day": DAY,
            "window_days": COUNT,
            "revision": COUNT,
            "rule": ANYTHING,
            **SHARE,
            "fully_connected": COUNT,
            "connections": COUNT,
            "tiers": {"type": "object", "additionalProperties": COUNT},
            "by_database": items(record({"database": TEXT, "id": TEXT, **SHARE})),
            "by_mode": items(BY_MODE),
            "changes": items(DENOMINATOR_CHANGE),
            "changes_total": COUNT,
            "series": items(record({"on": DAY, **SHARE, "revision": COUNT})),
            "checkpoint": CHECKPOINT,
        }
    ),
    "Usage": record(
        {
            "items": items(USAGE_SUM),
            "total": COUNT,
            "labels": {"type": "object", "additionalProperties": TEXT},
        }
    ),
    "Violations": record(
        {
            "items": items(VIOLATION),
            "total": COUNT,
            "labels": {"type": "object", "additionalProperties": TEXT},
        }
    ),
    "RebuiltUsage": record({"records": COUNT, "corrected": COUNT}),
    "EvidencePage": record({"items": items(SUMMARY), "next": MAYBE_TEXT, "total": COUNT}),
    "LedgerKey": LEDGER_KEY,
    "LedgerKeyList": record({"items": items(LEDGER_KEY), "total": COUNT}),
    "LatestCheckpoint": record({"checkpoint": CHECKPOINT}),
    "ExchangeEvidence": record(
        {
            "exchange": TEXT,
            "records": items(
                record(
                    {
                        "record": ANYTHING,
                        "canonical": TEXT,
                        "chain": CHAINED,
                        "salt": MAYBE_TEXT,
                        "proof": PROOF,
                    }
                )
            ),
            "keys": items(TEXT),
        }
    ),
    "Reconciled": record(
        {
            "equal": {"type": "boolean"},
            "environment": TEXT,
            "first_hour": MAYBE_MOMENT,
            "last_hour": MAYBE_MOMENT,
            "zone": TEXT,
            **dict.fromkeys(("rows", "rows_without_zone", "compared", "ours", "uncertain", "theirs"), COUNT),
            "shift_hours": {"type": ["integer", "null"]},
            "differences": items(COUNT_DIFFERENCE),
            "differences_total": COUNT,
            "refused": items(record({"sheet": TEXT, "row": COUNT, "errors": items(FLAW)})),
            "refused_total": COUNT,
        }
    ),
    "SubjectPage": record(
        {
            "items": items(LOOKED_AT),
            "next": MAYBE_TEXT,
            "labels": {"type": "object", "additionalProperties": TEXT},
            "keys": items(TEXT),
        }
    ),
    "SubjectKey": SUBJECT_KEY,
    "SubjectKeyList": record({"items": items(SUBJECT_KEY), "total": COUNT}),
    "CatalogueEntry": record(
        {
            "id": TEXT,
            "name": TEXT,
            "title_vi": TEXT,
            "title_en": MAYBE_TEXT,
            "default_version": MAYBE_TEXT,
            "address": MAYBE_TEXT,
            "versions": items(
                record(
                    {
                        "version": TEXT,
                        "status": TEXT,
                        "environments": items(TEXT),
                        "soap": MAYBE_TEXT,
                        "operations": items(OPERATION),
                    }
                )
            ),
        }
    ),
    "RevisionPage": record({"items": items(REVISION), "next": {"type": ["integer", "null"]}}),
    "Whoami": record({"client": TEXT, "name": TEXT, "role": TEXT, "organisation": MAYBE_TEXT, "node": TEXT}),
    "Quarantine": record(
        {
            "revision": COUNT,
            "items": items(record({"kind": TEXT, "id": TEXT, "label": TEXT, "reason": TEXT})),
            "total": COUNT,
        }
    ),
    "Snapshot": record(
        {
            "revision": COUNT,
            "workers": items(record({"worker": TEXT, "revision": COUNT, "age_seconds": {"type": "number"}})),
        }
    ),
    "ConnectorList": record(
        {
            "items": items(CONNECTOR),
            "total": COUNT,
        }
    ),
    "Scopes": record(
        {
            "items": items(
                record(
                    {
                        **dict.fromkeys(("scope", "purpose"), TEXT),
                        "since": MAYBE_MOMENT,
                        "until": MAYBE_MOMENT,
                        "envelope": items(TEXT),
                        "namespaces": ANYTHING,
                        "rules": items(
                            record({"path": TEXT, "action": TEXT, "keep_last": COUNT, "to": TEXT})
                        ),
                    }
                )
            )
        }
    ),
    "CheckedVersion": record({"version": TEXT, "label": TEXT, "endpoints": items(ENDPOINT)}),
    "ImportedDescription": record(
        {
            "applied": {"type": "boolean"},
            **dict.fromkeys(("kind", "title", "number", "label"), TEXT),
            **dict.fromkeys(("id", "yaml"), MAYBE_TEXT),
            "operations": items(OPERATION),
            "schemas": COUNT,
            "endpoints": ANYTHING,
            "not_taken": items(NOT_TAKEN),
            "not_taken_total": COUNT,
        }
    ),
    "OpenAPI": record({"openapi": TEXT, "info": ANYTHING, "servers": items(ANYTHING), "paths": ANYTHING}),
    "VersionChanges": record(
        {
            "from": TEXT,
            "to": MAYBE_TEXT,
            "summary": CHANGE_FIGURES,
            "changes": items({"allOf": [VERSION_CHANGE, record({"consumers": items(TEXT)})]}),
            "changes_total": COUNT,
            "consumers": items(
                record(
                    {
                        "consumer": TEXT,
                        "grant": TEXT,
                        "verdict": VERDICT,
                        "changes": items(VERSION_CHANGE),
                        "changes_total": COUNT,
                    }
                )
            ),
        }
    ),
    "TriedTransforms": record(
        {
            "output": MAYBE_TEXT,
            "media_type": TEXT,
            "reads": {"type": ["array", "null"], "items": TEXT},
            "fault": TRANSFORM_FAULT,
        }
    ),
    "RotatedKeys": record({"kid": TEXT, "active_from": MOMENT, "jwks": ANYTHING}),
}
"""Name -> schema of an answer."""
