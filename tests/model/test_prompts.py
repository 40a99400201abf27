from __future__ import annotations

from moeclip_cli.model.prompts import ABNORMAL_STATES, NORMAL_STATES, sentences


def test_every_state_in_every_template():
    assert sentences(NORMAL_STATES, "metal nut") == [
        "metal nut.",
        "a photo of metal nut.",
        "a metal nut.",
        "a photo of a metal nut.",
        "the metal nut.",
        "a photo of the metal nut.",
    ]
    abnormal = sentences(ABNORMAL_STATES, "metal nut")
    assert len(abnormal) == 10
    assert "a photo of a metal nut with flaw." in abnormal


def test_braces_in_a_name_are_plain_text():
    assert sentences(("a {}",), "{0} part")[0] == "a {0} part."
