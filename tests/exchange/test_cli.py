"""The exchange's command line: one sentence for what is wrong, the right exit code."""

import pytest

from exchange.cli import main


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["up", "--nope"], "No such option: --nope: see haulproof up --help"),
        (["up", "more"], "Got unexpected extra argument(s) (more): see haulproof up --help"),
        (["up", "--config", "none.toml"], "there is no settings file none.toml: check --config"),
        (["down"], "one of up, org, device, grant, trip, broker is expected"),
        ([], "one of up, org, device, grant, trip, broker is expected"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(
    capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"haulproof: {sentence}\n"


def test_help_of_up_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--help"]) == 0
    assert "haulproof up --dir ex --json" in capsys.readouterr().out
