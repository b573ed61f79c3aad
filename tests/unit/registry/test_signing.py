"""Keys that vouch for the ledger, and the rules of who may sign what, when."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.checkpoints import ChainHead, Checkpoint, check_checkpoint
from registry.errors import ChainBroken, LedgerUnavailable
from registry.ledger import FIRST_HEAD, Batch
from registry.signing import Introduction, KeyList, KeyStatement, SealingKey, Signer, check_signed, introduce

PRIVATES = [Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i in range(3)]


def keys_of(node: str = "H26") -> tuple[list[Introduction], list[SealingKey]]:
    """Two keys: the second signs from 2000 on, the first one until 3000."""
    first = introduce(PRIVATES[0], node=node, start=1000)
    one = SealingKey(statement=first.statement, private=PRIVATES[0])
    second = introduce(PRIVATES[1], node=node, start=2000, retires=3000, before=one)
    return [first, second], [one, SealingKey(statement=second.statement, private=PRIVATES[1])]


INTRODUCED, (ONE, TWO) = keys_of()


def test_the_bytes_of_a_statement_are_the_golden_ones() -> None:
    assert INTRODUCED[0].statement.body() == (
        b'{"from":1000,"kind":"key","node":"H26","number":1,"previous":"' + b"0" * 64 + b'",'
        b'"public":"3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29","retires":0,"v":1}'
    )
    assert KeyStatement.parse(INTRODUCED[1].statement.body()) == INTRODUCED[1].statement


def test_a_list_of_keys_holds_from_the_first_to_the_last() -> None:
    keys = KeyList(INTRODUCED)

    assert [keys.number(key.id) for key in (ONE, TWO)] == [1, 2]


def changed(introduction: Introduction, **given: object) -> Introduction:
    """Return a statement that says something else, as far as its own key can make it."""
    statement = replace(introduction.statement, **given)  # type: ignore[arg-type]  # whatever the test wants
    return replace(introduction, statement=statement, signature=PRIVATES[1].sign(statement.body()))


@pytest.mark.parametrize(
    ("several", "rule"),
    [
        pytest.param(INTRODUCED[1:], "number does not follow", id="the first one dropped"),
        pytest.param(INTRODUCED[::-1], "number does not follow", id="in another order"),
        pytest.param(
            [INTRODUCED[0], replace(INTRODUCED[1], endorsement=bytes(64))],
            "the key before it has not signed",
            id="endorsed by nobody",
        ),
        pytest.param(
            [INTRODUCED[0], changed(INTRODUCED[1], start=2001)],
            "the key before it has not signed",
            id="changed",
        ),
        pytest.param(
            [INTRODUCED[0], replace(INTRODUCED[1], signature=bytes(64))],
            "has not signed its own",
            id="unsigned",
        ),
        pytest.param(
            [INTRODUCED[0], changed(INTRODUCED[1], previous=bytes(32))],
            "follow the key before",
            id="unlinked",
        ),
        pytest.param([INTRODUCED[0], changed(INTRODUCED[1], start=999)], "its times", id="before the first"),
        pytest.param([INTRODUCED[0], changed(INTRODUCED[1], node="H27")], "number", id="of another node"),
    ],
)
def test_a_list_that_was_touched_is_refused(several: list[Introduction], rule: str) -> None:
    with pytest.raises(ChainBroken, match=rule):
        KeyList(several)


@pytest.mark.parametrize(
    ("key", "at", "rule"),
    [
        (ONE, 1000, None),
        (ONE, 2999, None),
        (ONE, 3000, "outside its time"),
        (ONE, 999, "outside its time"),
        (TWO, 1999, "outside its time"),
        (TWO, 10**18, None),
    ],
)
def test_a_key_signs_within_its_time_only(key: SealingKey, at: int, rule: str | None) -> None:
    batch = a_batch(key, at=at)

    if rule is None:
        check_signed(KeyList(INTRODUCED), batch, key.sign(batch.header()), after=None)
    else:
        with pytest.raises(ChainBroken, match=rule):
            check_signed(KeyList(INTRODUCED), batch, key.sign(batch.header()), after=None)


def a_batch(key: SealingKey | None, **given: object) -> Batch:
    values: dict[str, object] = {
        "node": "H26", "slot": 0, "epoch": 1, "number": 1, "size": 1, "root": bytes(32), "previous": FIRST_HEAD,
        "at": 2500, "key": key.id if key else b"",
    }  # fmt: skip
    return Batch(**(values | given))  # type: ignore[arg-type]  # as above


def test_a_batch_that_somebody_else_signed_is_refused() -> None:
    stranger = SealingKey(
        statement=introduce(PRIVATES[2], node="H26", start=0).statement, private=PRIVATES[2]
    )
    foreign, own = a_batch(stranger), a_batch(ONE)

    with pytest.raises(ChainBroken, match="not in the list"):
        check_signed(KeyList(INTRODUCED), foreign, stranger.sign(foreign.header()), after=None)
    with pytest.raises(ChainBroken, match="signature is wrong"):
        check_signed(KeyList(INTRODUCED), own, stranger.sign(own.header()), after=None)
    with pytest.raises(ChainBroken, match="names no key"):
        check_signed(KeyList(INTRODUCED), a_batch(None), bytes(64), after=None)


def test_a_chain_does_not_go_back_to_an_older_key() -> None:
    later = a_batch(ONE, number=2)

    with pytest.raises(ChainBroken, match="older key"):
        check_signed(KeyList(INTRODUCED), later, ONE.sign(later.header()), after=a_batch(TWO))


def test_the_newest_key_that_has_begun_signs() -> None:
    signer = Signer([ONE, TWO])

    assert [signer.key_at(at) for at in (0, 1000, 1999, 2000)] == [ONE, ONE, ONE, TWO]
    with pytest.raises(LedgerUnavailable):
        Signer([]).key_at(0)


# --- checkpoints ----------------------------------------------------------------------------------------


def a_checkpoint(after: Checkpoint | None = None, **given: object) -> Checkpoint:
    values: dict[str, object] = {
        "node": "H26",
        "number": after.number + 1 if after else 1,
        "at": 2500,
        "previous": after.head if after else FIRST_HEAD,
        "key": TWO.id,
        "chains": (ChainHead(slot=0, epoch=5, number=7, head=bytes(32), at=2400),),
    }
    return Checkpoint(**(values | given))  # type: ignore[arg-type]  # as above


FIRST = a_checkpoint()


def test_the_bytes_of_a_checkpoint_are_the_golden_ones() -> None:
    assert FIRST.body() == (
        b'{"at":2500,"chains":[{"at":2400,"epoch":5,"head":"' + b"0" * 64 + b'","number":7,"slot":0}],"key":"'
        + TWO.id.hex().encode()
        + b'","kind":"checkpoint","node":"H26","number":1,"previous":"' + b"0" * 64 + b'","v":1}'
    )  # fmt: skip
    assert Checkpoint.parse(FIRST.body()) == FIRST


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({}, None),
        ({"number": 9}, None),
        ({"number": 1}, "only the first"),
        ({"previous": bytes([1]) * 32}, "does not follow the head"),
        ({"at": 2450}, "its time is before"),
        ({"at": 2300}, "later than itself"),
        ({"chains": ()}, "stands before"),
        ({"chains": (ChainHead(slot=0, epoch=5, number=6, head=bytes(32), at=2400),)}, "stands before"),
        ({"chains": (ChainHead(slot=0, epoch=4, number=8, head=bytes(32), at=2400),)}, "stands before"),
        ({"chains": (ChainHead(slot=0, epoch=5, number=7, head=bytes([1]) * 32, at=2400),)}, "stands before"),
        ({"chains": (FIRST.chains[0], FIRST.chains[0])}, "not in order"),
    ],
)
def test_a_checkpoint_follows_the_one_before(given: dict[str, object], rule: str | None) -> None:
    later = a_checkpoint(FIRST, **given)

    if rule is None:
        check_checkpoint(later, TWO.sign(later.body()), KeyList(INTRODUCED), after=FIRST)
    else:
        with pytest.raises(ChainBroken, match=rule):
            check_checkpoint(later, TWO.sign(later.body()), KeyList(INTRODUCED), after=FIRST)
