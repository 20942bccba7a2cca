"""``haulproof verify`` as typed: what is wrong is one sentence, what takes long is told."""

from pathlib import Path

import pytest

from haulproof import verify
from haulproof.given import CannotVerify

VECTORS = Path(__file__).parents[1] / "vectors" / "evidence"


@pytest.fixture(autouse=True)
def no_installed_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAULPROOF_POLICY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["nowhere.evidence"], "cannot be read: no such file"),
        ([__file__], "not an evidence file"),
        ([__file__, "--policy", "nowhere.txt"], "the policy file nowhere.txt cannot be read"),
        ([__file__, "--policy", __file__], "the policy cannot be used"),
        ([__file__, "--log-key", "none"], "not a verifier key"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main(words) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["a", "b"], ["a", "--polcy", "p"]])
def test_wrong_usage_is_one_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        verify.main(words)

    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.endswith(": see haulproof verify --help\n")
    assert err.count("\n") == 1


def test_a_policy_is_found_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "haulproof").mkdir()
    (tmp_path / "haulproof" / "policy.txt").write_text("quorum none\n# mine\n")

    assert "# mine" in verify.policy_text(None, None)
    monkeypatch.setenv("HAULPROOF_POLICY", str(tmp_path / "nowhere.txt"))
    with pytest.raises(CannotVerify, match="cannot be read"):
        verify.policy_text(None, None)


def test_each_check_is_told_before_it_is_made() -> None:
    said: list[str] = []
    data = (VECTORS / "full.evidence").read_bytes()
    outcome = verify.judge(
        data, "quorum none\n", independent=True, recompute=True, step=said.append
    )

    assert not outcome.verified
    assert [step.split()[0] for step in said] == ["checking", "asking", "deriving"]
