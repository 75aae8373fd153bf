"""A saved tagger's answers to real sentences, where neither kseq nor Keras is."""

from __future__ import annotations

import numpy as np
import pytest

from kseq import SequenceTagger
from kseq.data.home import search_in
from kseq.data.readers.conll import conll
from kseq.data.texts import as_texts
from kseq.estimators.text_serving import token_request
from kseq.serving.text_endpoints import TEXT, TOKENS
from kseq.serving.verify import Case, verify

ODD = [
    "",
    "Bo",
    "word " * 500,
    "Ζῷον ൠ ǂ 𓀀 unseen",
    "😀 👨‍👩‍👧 🇩🇪 👍🏽",
    "שלום עולם",
    "مرحبا بالعالم",
]


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 32])
def test_five_hundred_sentences(saved_tagger, batch):
    tagger, path, sentences = saved_tagger
    cases = []
    for start in range(0, len(sentences), batch):
        some = sentences[start : start + batch]
        tokens, raw = as_texts(some, "words"), [" ".join(each) for each in some]
        cases.append(Case(TOKENS, token_request(some), tagger._served(tokens)))
        cases.append(Case(TEXT, {"text": np.array(raw)}, tagger._served(as_texts(raw, "words"))))
    assert len(sentences) == 500
    assert any(case.expected["span_label"].size for case in cases)
    assert verify(path, cases, 1e-5) < 1e-5


@pytest.fixture(scope="module")
def saved_tagger(data_home, tmp_path_factory):
    """A small tagger of real sentences, its artefact, and sentences that it was not fitted to."""
    with search_in(data_home / "wnut17"):
        data = conll(train="train.conll.gz", test="test.conll.gz")
    tagger = SequenceTagger(
        text={"casing": True, "affixes": 3},
        model={"units": 24, "embedding": {"width": 16}},
        training={"epochs": 4, "learning_rate": 0.01},
        random_state=3,
    )
    tagger.fit(data.train.X[:1000], data.train.y[:1000])
    path = tagger.save(tmp_path_factory.mktemp("saved") / "tagger")
    return tagger, path, [*(text.split() for text in ODD), *data.test.X][:500]
