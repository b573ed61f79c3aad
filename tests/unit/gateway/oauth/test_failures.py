from gateway.oauth.failures import MAX_KEYS, Failures


def test_too_many_failures_are_told_to_wait_for_the_rest_of_the_minute() -> None:
    failures = Failures(per_minute=3)

    assert [failures.count("c", "192.0.2.1", now) for now in (0.0, 1.0, 2.0)] == [None] * 3
    assert failures.count("c", "192.0.2.1", 20.0) == 40
    assert failures.count("c", "192.0.2.1", 61.0) is None


def test_a_client_and_an_address_are_counted_together() -> None:
    failures = Failures(per_minute=1)
    failures.count("c", "192.0.2.1", 0.0)

    assert failures.count("c", "192.0.2.2", 0.0) is None
    assert failures.count("d", "192.0.2.1", 0.0) is None
    assert failures.count("c", "192.0.2.1", 0.0) is not None


def test_a_flood_of_addresses_takes_bounded_room() -> None:
    failures = Failures(per_minute=1)
    for number in range(MAX_KEYS + 50):
        failures.count("", str(number), 0.0)

    assert len(failures._windows) == MAX_KEYS
