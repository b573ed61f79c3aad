"""The ledger's mathematics: bytes that are promises, and trees that prove."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ChainBroken
from registry.evidence import Delivered, Outcome, Record
from registry.ledger import (
    FIRST_HEAD,
    Batch,
    batch_head,
    check_batch,
    cleaned,
    closed_as_unknown,
    commitment,
    decode,
    encode,
    ended_by_ledger,
    inclusion_path,
    leaf_hash,
    merkle_root,
    node_hash,
    root_of_path,
)
from tests.records import a_record, an_open

GOLDEN = Record(
    kind="final",
    exchange="01933f00-0000-7000-8000-000000000001",
    at=1790000000000000,
    node="H26",
    environment="production",
    client="01933f00-0000-7000-8000-000000000002",
    consumer="01933f00-0000-7000-8000-000000000003",
    provider="01933f00-0000-7000-8000-000000000004",
    service="01933f00-0000-7000-8000-000000000005",
    version="01933f00-0000-7000-8000-000000000006",
    operation="lookup",
    counts=True,
    national_database="01933f00-0000-7000-8000-000000000007",
    mode="lgsp-ngsp",
    purpose="tra-cứu",
    procedure="1.001612",
    officer='nv."an"',
    officer_rule="asserted",
    grant="01933f00-0000-7000-8000-000000000008",
    revision=42,
    correlation="HS-1",
    outcome=Outcome.SUCCESS,
    reason="",
    status=200,
    delivered=Delivered.YES,
    sent=True,
    request_bytes=17,
    reply_bytes=1024,
    request_commitment=commitment(b"salt", b"request"),
    reply_commitment=commitment(b"salt", b"reply"),
    gateway_us=210,
    provider_us=1500,
    total_us=1710,
    scope="tra-cứu#0123456789abcdef",
)

GOLDEN_BYTES = (
    '{"at":1790000000000000,"client":"01933f00-0000-7000-8000-000000000002",'
    '"consumer":"01933f00-0000-7000-8000-000000000003","correlation":"HS-1","count":1,"counts":true,'
    '"delivered":"yes","environment":"production","exchange":"01933f00-0000-7000-8000-000000000001",'
    '"gateway_us":210,"grant":"01933f00-0000-7000-8000-000000000008","kind":"final","mode":"lgsp-ngsp",'
    '"national_database":"01933f00-0000-7000-8000-000000000007","node":"H26","officer":"nv.\\"an\\"",'
    '"officer_rule":"asserted","operation":"lookup","outcome":"success","procedure":"1.001612",'
    '"provider":"01933f00-0000-7000-8000-000000000004","provider_us":1500,"purpose":"tra-cứu","reason":"",'
    '"reply_bytes":1024,'
    '"reply_commitment":"aadc7644fa8c2af77037d56ff7661768ba6b7246dc82a99e760c90b1332209dc",'
    '"request_bytes":17,'
    '"request_commitment":"8ad9d3801d699e361567ce1cf6924ed0f065fa08117d7e40a189199a2214f824",'
    '"revision":42,"scope":"tra-cứu#0123456789abcdef","sent":true,'
    '"service":"01933f00-0000-7000-8000-000000000005","status":200,"subject":"",'
    '"subject_key":"","total_us":1710,"v":2,"version":"01933f00-0000-7000-8000-000000000006"}'
).encode()

GOLDEN_BATCH = Batch(
    node="H26",
    slot=0,
    epoch=1790000000000,
    number=1,
    size=1,
    root=leaf_hash(GOLDEN_BYTES),
    previous=FIRST_HEAD,
    at=1790000000000001,
)


def test_the_bytes_of_a_record_are_the_golden_ones() -> None:
    assert encode(GOLDEN) == GOLDEN_BYTES
    assert leaf_hash(GOLDEN_BYTES).hex() == "1514b1b43ae9eb10f2fdddc6bb302fa8d5a883a45839d0551ba50310881ca3b9"


FORM_1_BYTES = GOLDEN_BYTES.replace('"scope":"tra-cứu#0123456789abcdef",'.encode(), b"").replace(
    b'"v":2', b'"v":1'
)


def test_records_of_form_1_are_read_for_ever() -> None:
    assert leaf_hash(FORM_1_BYTES).hex() == "9fe61338b17b2132d5df72ad78a277287b30e74aa354075cfbd81921de419f11"
    assert decode(FORM_1_BYTES) == replace(GOLDEN, scope="")


def test_the_bytes_of_a_signed_header_are_the_golden_ones() -> None:
    signed = replace(GOLDEN_BATCH, key=bytes([7]) * 32)

    assert signed.header() == GOLDEN_BATCH.header().replace(
        b'"kind"', b'"key":"' + b"07" * 32 + b'","kind"'
    ).replace(b'"v":1', b'"v":2')


def test_the_bytes_of_a_batch_header_are_the_golden_ones() -> None:
    assert GOLDEN_BATCH.header() == (
        b'{"at":1790000000000001,"epoch":1790000000000,"kind":"batch","node":"H26","number":1,"previous":"'
        + b"0" * 64
        + b'","root":"1514b1b43ae9eb10f2fdddc6bb302fa8d5a883a45839d0551ba50310881ca3b9","size":1,"slot":0,"v":1}'
    )
    assert (
        batch_head(GOLDEN_BATCH).hex() == "9b1793065c6d273c2295b46636152a9af0d39ab42a45f9c067ff083f643a74c2"
    )


def test_the_tree_of_three_known_leaves_has_its_known_root() -> None:
    assert merkle_root([leaf_hash(leaf) for leaf in (b"", b"\x00", b"\x10")]).hex() == (
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    )


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
number = st.integers(0, 2**53)
records = st.builds(
    Record,
    kind=st.sampled_from(["open", "final", "tally"]),
    exchange=text,
    at=number,
    node=text,
    officer=text,
    purpose=text,
    counts=st.booleans(),
    revision=number,
    outcome=st.sampled_from(["", *Outcome]),
    delivered=st.sampled_from(["", *Delivered]),
    request_commitment=st.sampled_from([b"", bytes(32), b"\xff" * 32]),
)


@given(records)
def test_a_record_is_read_back_as_it_was(record: Record) -> None:
    assert decode(encode(record)) == record


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="no object"),
        pytest.param(GOLDEN_BYTES.replace(b'"v":2', b'"v":3'), id="an unknown form"),
        pytest.param(GOLDEN_BYTES.replace(b'"status":200', b'"status":"200"'), id="a text for a number"),
        pytest.param(GOLDEN_BYTES.replace(b'"sent":true', b'"sent":1'), id="a number for a boolean"),
        pytest.param(GOLDEN_BYTES.replace(b'"status":200', b'"status": 200'), id="a space"),
        pytest.param(GOLDEN_BYTES.replace(b'"subject":"",', b""), id="a field left out"),
        pytest.param(GOLDEN_BYTES.replace(b'"v":2', b'"v":1'), id="a scope in form 1"),
        pytest.param(GOLDEN_BYTES.replace(b"aadc7644", b"AADC7644"), id="a commitment in capitals"),
        pytest.param(GOLDEN_BYTES.replace(b'"v":2', b'"u":1,"v":2'), id="a field too many"),
        pytest.param(GOLDEN_BYTES.replace(b'"kind":"final"', b'"kind":"finish"'), id="an unknown kind"),
        pytest.param(
            GOLDEN_BYTES.replace(b'"outcome":"success"', b'"outcome":"fine"'), id="an unknown outcome"
        ),
    ],
)
def test_other_bytes_are_no_record(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (each has another text)
        decode(body)


def test_text_that_cannot_be_kept_is_replaced() -> None:
    record = cleaned(a_record(correlation="a\ud800b\0c"))

    assert record.correlation == "a?b\N{REPLACEMENT CHARACTER}c"
    assert decode(encode(record)) == record


def test_an_exchange_left_open_is_closed_as_unknown() -> None:
    opened = an_open(at=1000)

    final = closed_as_unknown(opened, at=5000)

    assert (final.kind, final.outcome, final.reason) == ("final", "unknown", "node-stopped")
    assert (final.delivered, final.sent, final.at) == ("no", True, 5000)
    assert final.exchange == opened.exchange


def test_a_clock_moved_back_does_not_close_an_exchange_before_it_began() -> None:
    assert closed_as_unknown(an_open(at=5000), at=1000).at == 5000


def test_a_record_written_too_late_says_what_its_caller_saw() -> None:
    late = ended_by_ledger(a_record(sent=True))
    never_sent = ended_by_ledger(a_record(outcome=Outcome.REFUSED, sent=False))
    own = a_record(outcome=Outcome.NODE_FAILURE, reason="internal")

    assert (late.outcome, late.reason, late.delivered) == ("node_failure", "ledger-lost", "no")
    assert (never_sent.outcome, never_sent.reason) == ("node_failure", "ledger-unavailable")
    assert ended_by_ledger(own) == own


# --- trees ----------------------------------------------------------------------------------------------

leaves = st.lists(st.binary(max_size=8).map(leaf_hash), min_size=1, max_size=70)


def root_as_rfc_6962_says(hashes: list[bytes]) -> bytes:
    """Section 2.1, word for word."""
    if not hashes:
        return sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(root_as_rfc_6962_says(hashes[:split]), root_as_rfc_6962_says(hashes[split:]))


def path_as_rfc_6962_says(index: int, hashes: list[bytes]) -> list[bytes]:
    """Section 2.1.1, word for word."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = hashes[:split], hashes[split:]
    if index < split:
        return [*path_as_rfc_6962_says(index, left), root_as_rfc_6962_says(right)]
    return [*path_as_rfc_6962_says(index - split, right), root_as_rfc_6962_says(left)]


@given(leaves)
def test_a_root_is_the_one_of_the_recursive_definition(hashes: list[bytes]) -> None:
    assert merkle_root(hashes) == root_as_rfc_6962_says(hashes)


def test_a_tree_of_nothing_has_the_hash_of_nothing() -> None:
    assert merkle_root([]) == root_as_rfc_6962_says([])


@given(leaves, st.data())
def test_a_path_leads_from_its_leaf_to_the_root(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))

    path = inclusion_path(index, hashes)

    assert path == path_as_rfc_6962_says(index, hashes)
    assert root_of_path(hashes[index], index, len(hashes), path) == merkle_root(hashes)


@given(st.integers(2, 70), st.data())
def test_a_path_proves_no_other_leaf_and_no_other_place(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(bytes([i])) for i in range(size)]
    index, other = data.draw(
        st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True).map(tuple)
    )
    path = inclusion_path(index, hashes)

    assert root_of_path(hashes[other], index, size, path) != merkle_root(hashes)
    try:
        elsewhere = root_of_path(hashes[index], other, size, path)
    except ValueError:
        return
    assert elsewhere != merkle_root(hashes)


def test_a_path_of_the_wrong_length_is_refused() -> None:
    hashes = [leaf_hash(bytes([i])) for i in range(5)]
    path = inclusion_path(2, hashes)

    with pytest.raises(ValueError, match="too short"):
        root_of_path(hashes[2], 2, 5, path[:-1])
    with pytest.raises(ValueError, match="too long"):
        root_of_path(hashes[2], 2, 5, [*path, bytes(32)])


def test_no_path_leads_to_a_leaf_outside_the_tree() -> None:
    with pytest.raises(IndexError):
        inclusion_path(3, [bytes(32)] * 3)
    with pytest.raises(ValueError, match="no leaf 3"):
        root_of_path(bytes(32), 3, 3, [])


# --- chains ---------------------------------------------------------------------------------------------

BODIES = [encode(a_record(at=i)) for i in range(3)]


def a_batch(after: Batch | None = None, **given: object) -> Batch:
    values: dict[str, object] = {
        "node": "H26",
        "slot": 0,
        "epoch": 5,
        "number": after.number + 1 if after else 1,
        "size": len(BODIES),
        "root": merkle_root([leaf_hash(body) for body in BODIES]),
        "previous": after.head if after else FIRST_HEAD,
        "at": 1000,
    }
    return Batch(**(values | given))  # type: ignore[arg-type]  # as above


def test_batches_follow_each_other() -> None:
    first = a_batch()

    check_batch(first, BODIES, after=None)
    check_batch(a_batch(first, epoch=6), BODIES, after=first)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"number": 3}, "number does not follow"),
        ({"previous": bytes(32)}, "follow the head"),
        ({"epoch": 4}, "epoch is older"),
        ({"at": 999}, "time is before"),
        ({"size": 2}, "another number of records"),
        ({"root": bytes(32)}, "records differ"),
    ],
)
def test_a_batch_that_does_not_fit_is_found(given: dict[str, object], rule: str) -> None:
    first = a_batch()

    with pytest.raises(ChainBroken, match=rule):
        check_batch(a_batch(first, **given), BODIES, after=first)


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param([*BODIES[:2], encode(replace(decode(BODIES[2]), status=500))], id="changed"),
        pytest.param(BODIES[:2], id="dropped"),
        pytest.param([*BODIES, BODIES[0]], id="inserted"),
        pytest.param(BODIES[::-1], id="in another order"),
    ],
)
def test_a_record_that_was_touched_is_found(bodies: list[bytes]) -> None:
    with pytest.raises(ChainBroken):
        check_batch(a_batch(), bodies, after=None)
