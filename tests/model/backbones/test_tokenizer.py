from __future__ import annotations

import random

import open_clip
import torch

from moeclip_cli.model.backbones.tokenizer import tokenize
from moeclip_cli.model.prompts import ABNORMAL_STATES, NORMAL_STATES, sentences

ODD = [
    "",
    " ",
    "'s 't I'LL",
    "<end_of_text> <start_of_text>",
    "Lötstelle, 3,5 mm — „gut“",
    "l&ouml;tstelle &amp;amp;",
    "ç\u0327 \ufb01 \u200b\u00a0",
    "电路板 الدائرة плата",
    "🔩🔧",
    "mojibake: schÃ¶n",
    "a" * 300,
    "1234567890 10x10",
]


def test_tokens_are_those_of_open_clip():
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz  '-.,0123456789ABÄßé☃"
    drawn = ["".join(draw.choices(letters, k=draw.randrange(60))) for _ in range(1000)]
    prompts = [*sentences(NORMAL_STATES, "printed board"), *sentences(ABNORMAL_STATES, "bolt")]
    texts = [*ODD, *drawn, *prompts]
    for context_length in (77, 16):
        expected = open_clip.tokenize(texts, context_length)
        assert torch.equal(tokenize(texts, context_length), expected)
