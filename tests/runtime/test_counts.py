from vitrion.runtime.counts import counted


def test_numbers_have_the_singular_or_the_plural():
    assert [counted(n, "frame") for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
    assert counted(1, "glass", "glasses") == "1 glass"
    assert counted(3, "glass", "glasses") == "3 glasses"
