"""The command line of the bench; what it measures is measured by hand, on a machine of its own."""

import pytest

from haulproof.bench import cli


@pytest.mark.parametrize(
    "words",
    [["--devices", "0"], ["--devices", "many"], ["--seconds", "0"], ["--seconds", "nan"], ["disk"]],
)
def test_a_load_that_is_none_is_wrong_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("haulproof bench: ")
    assert said.count("\n") == 1
