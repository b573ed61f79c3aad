"""Random bytes are handed out once each."""

from concurrent.futures import ThreadPoolExecutor

from registry.randomness import Randomness


def test_no_bytes_are_handed_out_twice_whatever_their_size_and_thread() -> None:
    randomness = Randomness()

    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda size: randomness.take(8 + size % 9), range(5000)))

    assert len(set(taken)) == 5000
    assert all(len(piece) == 8 + size % 9 for size, piece in enumerate(taken))
