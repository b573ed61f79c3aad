import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

import auth.errors
import connectors.errors
import registry.errors
from auth.errors import AuthError, ClientReason, ClientRefused, KeySetRefused
from connectors.errors import ConnectorError
from gateway.exchange import Reason
from gateway.notices import ADMIN, GUARD, TOKEN
from gateway.outcomes import FAULT_MESSAGES, ROWS
from gateway.problems import (
    OUTCOMES,
    PROBLEMS,
    STATUS,
    notice,
    problem_for,
    problem_of,
    reference,
    render,
    token_error,
)
from gateway.texts import REASON_TEXTS, preferred
from registry.errors import AlreadyThere, Flaw, Invalid, NotFound, RegistryError, VersionStale, WrongState
from registry.evidence import Outcome

EXCHANGE = "01890000-0000-7000-8000-000000000001"
STATUSES: dict[Outcome, set[int]] = {
    Outcome.SUCCESS: set(),
    Outcome.BUSINESS_FAILURE: {422},
    Outcome.REFUSED: {401, 403, 429},
    Outcome.INVALID: {400, 404, 405, 413, 422},
    Outcome.UNAVAILABLE: {503},
    Outcome.UNREACHABLE: {502},
    Outcome.PROVIDER_FAILURE: {502},
    Outcome.UNKNOWN: {504},
    Outcome.NODE_FAILURE: {500, 503},
}
FAULT_STATUS: dict[int, set[int]] = {
    401: {900901, 900902, 900905, 900907, 900909},
    403: {900906, 900908, 900910},
    429: {900800, 900802, 900803, 900804, 900805, 900806, 900807},
    503: {700700, 900801, 101503},
    500: {900900},
    502: {101503},
    504: {101504},
    422: {102511, 422},
}


def body_of(reason: Reason, **given: Any) -> dict[str, Any]:  # Any: JSON
    body: dict[str, Any] = json.loads(render(problem_for(reason, **given))[2])
    return body


def tree(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for child in error.__subclasses__():
        yield from tree(child)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_whole_problem(reason: Reason) -> None:
    body = body_of(reason, exchange=EXCHANGE, sent=True, retry_after=2.5)

    assert body["type"] == f"/problems/{reason}"
    assert body["code"] == reason
    assert body["instance"] == f"urn:uuid:{EXCHANGE}"
    assert body["status"] == STATUS[reason]
    assert body["turn"] in {"consumer", "province", "hub", "provider"}
    assert body["retry"] == {"helps": True, "after_seconds": 3}
    assert body["sent"] is True
    assert body["title"] == body["messages"]["vi"]["title"]
    for language in ("vi", "en"):
        for sentence in body["messages"][language].values():
            assert len(sentence) > 8
            assert not set("{}[]") & set(sentence)
            assert ".." not in sentence.replace("«..»", "").replace("“..”", "")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_outcome_and_a_status_that_go_together(reason: Reason) -> None:
    assert STATUS[reason] in STATUSES[OUTCOMES[reason]]


def test_the_groups_of_reasons_are_the_outcomes_of_the_design() -> None:
    told = {outcome: {r for r in Reason if OUTCOMES[r] is outcome} for outcome in Outcome}

    assert Reason.TOKEN_EXPIRED in told[Outcome.REFUSED]
    assert told[Outcome.UNREACHABLE] == {Reason.PROVIDER_UNREACHABLE, Reason.EGRESS_DENIED}
    assert {Reason.BREAKER_OPEN, Reason.CAPACITY, Reason.MAINTENANCE} <= told[Outcome.UNAVAILABLE]
    assert {Reason.PROVIDER_TIMEOUT, Reason.PROVIDER_CUT, Reason.NODE_STOPPED} <= told[Outcome.UNKNOWN]
    assert told[Outcome.SUCCESS] == set()


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_wso2_fault_of_its_status(reason: Reason) -> None:
    status, headers, body = render(problem_for(reason, language="en"), "wso2")

    fault = json.loads(body)["fault"]
    assert list(fault) == ["code", "message", "description"]
    assert fault["code"] in FAULT_STATUS.get(status, {status})
    assert fault["message"] == FAULT_MESSAGES[fault["code"]]
    assert fault["description"] == REASON_TEXTS[reason].detail_en.plain
    assert (b"content-type", b"application/json; charset=utf-8") in headers


@pytest.mark.parametrize("reason", [reason for reason in Reason if STATUS[reason] == 401])
def test_a_401_challenges_as_rfc_6750_says(reason: Reason) -> None:
    challenge = dict(problem_for(reason).headers)[b"www-authenticate"].decode()

    assert challenge.startswith('Bearer realm="lgsp"')
    assert ('error="invalid_token"' in challenge) is (reason is not Reason.TOKEN_MISSING)
    assert challenge.isascii()


def test_a_missing_scope_is_named_in_the_challenge() -> None:
    problem = problem_for(Reason.SCOPE_MISSING)

    assert problem.status == 403
    assert b'error="insufficient_scope"' in dict(problem.headers)[b"www-authenticate"]


def test_a_405_says_what_is_allowed() -> None:
    problem = problem_for(Reason.METHOD_NOT_ALLOWED, details={"allow": "GET, HEAD"})

    assert dict(problem.headers)[b"allow"] == b"GET, HEAD"
    assert "GET, HEAD" in problem.body["detail"]


@pytest.mark.parametrize(("seconds", "header"), [(0.2, b"1"), (1.0, b"1"), (59.1, b"60"), (0.0, b"1")])
def test_a_wait_is_told_in_whole_seconds(seconds: float, header: bytes) -> None:
    problem = problem_for(Reason.QUOTA_PER_SECOND, retry_after=seconds)

    assert dict(problem.headers)[b"retry-after"] == header
    assert problem.body["retry"] == {"helps": True, "after_seconds": math.ceil(seconds)}


def test_an_unknown_wait_is_not_told() -> None:
    assert b"retry-after" not in dict(problem_for(Reason.CAPACITY).headers)


def test_parameters_fill_in_the_text_and_stand_beside_it() -> None:
    body = body_of(Reason.ROUTE_UNKNOWN, details={"did_you_mean": "apiDKDN"}, language="en")

    assert "Did you mean “apiDKDN”?" in body["detail"]
    assert "«apiDKDN»" in body["messages"]["vi"]["detail"]
    assert body["details"] == {"did_you_mean": "apiDKDN"}


def test_a_parameter_cannot_break_out_of_its_place() -> None:
    note = "a\r\nSet-Cookie: x\x00 {x} \ud800" + "y" * 999

    body = body_of(Reason.SERVICE_BLOCKED, details={"note": note, "empty": "", "none": None})

    assert body["details"]["note"].startswith("a  Set-Cookie: x  {x}  yyy")
    assert len(body["details"]["note"]) == 200
    assert set(body["details"]) == {"note"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "vi"),
        ("en", "en"),
        ("EN-GB", "en"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("fr, en;q=0.3, vi;q=0.2", "en"),
        ("en;q=0, vi;q=0.1", "vi"),
        ("fr", "vi"),
        ("*", "vi"),
        ("en;q=rubbish", "vi"),
        (",;,=", "vi"),
    ],
)
def test_the_language_follows_the_callers_preference(header: str, language: str) -> None:
    assert preferred(header) == language
    assert problem_for(Reason.INTERNAL, language=header).body["title"] == (
        "The node failed" if language == "en" else "Lỗi của nút"
    )


def test_a_list_of_languages_will_do() -> None:
    assert problem_for(Reason.INTERNAL, language=["fr", "en-US"]).body["title"] == "The node failed"
    assert problem_for(Reason.INTERNAL, language=[]).body["title"] == "Lỗi của nút"


def test_both_languages_know_the_same_parameters() -> None:
    texts = [*REASON_TEXTS.values(), *(row.text for row in (*GUARD.values(), *ADMIN.values()))]

    for text in texts:
        assert text.detail_vi.parameters == text.detail_en.parameters


@pytest.mark.parametrize(
    "error",
    [
        error
        for root in (RegistryError, ConnectorError, AuthError)
        for error in tree(root)
        # What other modules derive for themselves is told as the nearest of these.
        if error.__module__ == root.__module__
    ],
)
def test_every_error_has_a_row_of_its_own(error: type[Exception]) -> None:
    assert error in PROBLEMS
    assert PROBLEMS[error] in ADMIN or PROBLEMS[error] in set(Reason)


def test_the_trees_are_whole() -> None:
    roots = {registry.errors: RegistryError, connectors.errors: ConnectorError, auth.errors: AuthError}

    for module, root in roots.items():
        errors = [e for e in vars(module).values() if isinstance(e, type) and issubclass(e, Exception)]
        assert set(errors) == {e for e in tree(root) if e.__module__ == module.__name__}


def test_flaws_are_told_with_their_pointers() -> None:
    status, _, body = render(problem_of(Invalid([Flaw("/code", "pattern", "not a code")])))

    assert status == 422
    assert json.loads(body)["errors"] == [
        {
            "pointer": "/code",
            "code": "pattern",
            "message": "not a code",
            "messages": {"vi": "Giá trị không đúng định dạng quy định.", "en": "not a code"},
        }
    ]


def test_half_a_character_in_a_pointer_is_no_fault_of_ours() -> None:
    status, _, body = render(problem_of(Invalid([Flaw("/\ud800", "unknown", "unknown field")])))

    assert status == 422
    assert json.loads(body)["errors"][0]["pointer"] == "/\ud800"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("systems", "H26.12:x"), 404, "not-found"),
        (AlreadyThere("/code", "H26"), 422, "validation-failed"),
        (WrongState("the grant is revoked"), 409, "wrong-state"),
        (VersionStale(current=4, given=3), 412, "version-stale"),
        (KeySetRefused("/jwks/keys/0", "not ES256"), 422, "validation-failed"),
        (ClientRefused(ClientReason.CREDENTIALS_WRONG), 401, "client-refused"),
        (RuntimeError("with a secret"), 500, "internal"),
        (connectors.errors.EgressDenied("10.0.0.1"), 502, "egress-denied"),
    ],
)
def test_an_error_becomes_the_problem_of_its_class(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error, language="en")

    assert (problem.status, problem.code) == (status, code)
    assert "secret" not in render(problem)[2].decode()


def test_a_stale_version_comes_with_the_difference() -> None:
    difference = [{"pointer": "/name_vi", "before": "A", "after": "B"}]

    problem = problem_of(VersionStale(current=4, given=3), extra={"difference": difference}, language="en")

    assert problem.body["difference"] == difference
    assert "(now at 4, you sent 3)" in problem.body["detail"]


@pytest.mark.parametrize("code", [*GUARD, *ADMIN])
def test_every_notice_is_whole(code: str) -> None:
    problem = notice(code, language="en")

    assert problem.body["type"] == f"/problems/{code}"
    assert 400 <= problem.status < 600
    assert (b"www-authenticate" in dict(problem.headers)) is (problem.status == 401)
    assert not set("{}[]") & set(problem.body["detail"] + problem.body["messages"]["vi"]["detail"])


@pytest.mark.parametrize("error", TOKEN)
def test_token_errors_are_those_of_rfc_6749(error: str) -> None:
    status, headers, body = token_error(error)

    told = json.loads(body)
    assert told["error"] == error
    assert told["error_description"].isascii()
    assert not set('"\\') & set(told["error_description"])
    assert set(told["messages"]) == {"vi", "en"}
    assert (b"cache-control", b"no-store") in headers
    assert (status == 401) is (error == "invalid_client")


def test_a_client_that_came_with_basic_is_challenged_with_it() -> None:
    with_basic = dict(token_error("invalid_client", basic=True)[1])
    without = dict(token_error("invalid_client")[1])

    assert with_basic[b"www-authenticate"].startswith(b"Basic ")
    assert without[b"www-authenticate"].startswith(b"Bearer ")


def test_the_tables_are_complete_and_nothing_more() -> None:
    assert set(ROWS) == set(REASON_TEXTS) == set(Reason)
    assert not set(GUARD) & set(ADMIN)
    assert not (set(GUARD) | set(ADMIN)) & set(Reason)


def test_the_reference_names_every_code() -> None:
    page = reference()

    for code in (*Reason, *GUARD, *ADMIN, *TOKEN):
        assert f"| `{code}` |" in page
