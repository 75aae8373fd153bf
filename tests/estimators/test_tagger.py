from __future__ import annotations

import pickle
import warnings
from functools import cache

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold

from kseq import SequenceTagger
from kseq.errors import DataError, RecipeError
from kseq.estimators.spans import TextSpan
from kseq.tags import forbidden, scheme_of, spans
from tests.estimators.conftest import prepared

TEXTS = ["Ana Ruiz met Bo", "we met Ana", "Bo left", "hello", "", "is Bo there ?"] * 6
TOKENS = [text.split() for text in TEXTS]
TAGS = [["B-name" if word.istitle() else "O" for word in words] for words in TOKENS]
for _tags in TAGS[::6]:
    _tags[1] = "I-name"
LABELS = ["met", "met", "left", "none", "none", "asks"] * 6
SMALL = {"units": 8, "dropout": 0.1, "embedding": {"width": 8, "character_units": 4}}
TRAINING = {"epochs": 15, "batch_size": 8, "learning_rate": 0.02, "validation_fraction": 0.2}


def tagger(**params) -> SequenceTagger:
    given = {"model": SMALL, "training": TRAINING, "random_state": 1, **params}
    return SequenceTagger(**given)


@cache
def fitted() -> SequenceTagger:
    return tagger(text={"casing": True}).fit(TOKENS, TAGS)


@cache
def joint() -> SequenceTagger:
    return tagger().fit(TEXTS, list(zip(TAGS, LABELS, strict=True)))


def quick(**params) -> SequenceTagger:
    return tagger(training={**TRAINING, "epochs": 1}, **params)


def test_it_learns_and_gives_each_token_a_tag():
    assert fitted().predict(TOKENS) == TAGS
    assert fitted().tags_.tolist() == ["B-name", "I-name", "O"]
    assert fitted().score(TOKENS, TAGS) == 1.0
    assert fitted().history_["val_score"][fitted().best_epoch_ - 1] == 1.0


def test_strings_are_split_into_tokens():
    (tags,) = fitted().predict(["Ana met Bo, there"])
    assert len(tags) == 5
    assert tags[:3] == ["B-name", "O", "B-name"]


@pytest.mark.parametrize(
    "odd", [[], ["😀"], ["x"] * 500, ["שלום", "Ana"], ["Zyx" * 200], ["a\u0301"]], ids=range(6)
)
def test_odd_texts_are_tagged_and_do_not_change_others(odd):
    alone = fitted().predict([["we", "met", "Ana"]])
    together = fitted().predict([odd, ["we", "met", "Ana"]])
    assert [len(tags) for tags in together] == [len(odd), 3]
    assert together[1:] == alone
    (one,) = fitted().predict_proba([odd])
    both = fitted().predict_proba([odd, ["x"] * 40])
    np.testing.assert_allclose(both[0], one, atol=1e-5)


def test_marginals_sum_to_one_and_the_best_taggings_are_ordered():
    for rows, tokens in zip(fitted().predict_proba(TOKENS), TOKENS, strict=True):
        assert rows.shape == (len(tokens), 3)
        np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-5)
    for best, tokens, tags in zip(
        fitted().predict_nbest(TOKENS[:6], 4), TOKENS[:6], fitted().predict(TOKENS), strict=False
    ):
        probabilities = [probability for _, probability in best]
        assert best[0][0] == tags
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) <= 1 + 1e-5
        assert len({tuple(each) for each, _ in best}) == len(best) <= 4
        assert all(len(each) == len(tokens) for each, _ in best)
    # B, I after B and O; what the scheme forbids is not among them.
    assert len(fitted().predict_nbest([["a", "b"]], 20)[0]) == 5


def test_spans_count_tokens_or_characters():
    (found,) = fitted().predict_spans([["Ana", "Ruiz", "met", "Bo"]])
    assert [span[:4] for span in found] == [("Ana Ruiz", "name", 0, 2), ("Bo", "name", 3, 4)]
    text = "  Ana Ruiz met   Bo"
    (found,) = fitted().predict_spans([text])
    assert [span.text for span in found] == ["Ana Ruiz", "Bo"]
    assert all(isinstance(span, TextSpan) for span in found)
    assert all(text[span.start : span.end] == span.text for span in found)
    assert all(0 < span.probability <= 1 for span in found)
    assert fitted().predict_spans([[], ["hello"]]) == [[], []]


def test_the_probability_of_a_span_is_that_of_the_taggings_that_hold_it():
    text = ["Ana", "Ruiz", "met"]
    taggings = fitted().predict_nbest([text], 27)[0]
    for span in fitted().predict_spans([text])[0]:
        held = sum(p for tags, p in taggings if (span.start, span.end, span.label) in spans(tags))
        assert span.probability == pytest.approx(held, abs=1e-5)


@pytest.mark.slow
def test_labels_of_whole_texts_are_learned_beside_the_tags():
    pairs = joint().predict(TEXTS)
    assert pairs == list(zip(TAGS, LABELS, strict=True))
    assert joint().classes_.tolist() == ["asks", "left", "met", "none"]
    probabilities = joint().predict_label_proba(TEXTS[:3])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    found = joint().evaluate(TEXTS, pairs)
    assert found.metrics["label_accuracy"] == found.metrics["exact_match"] == 1.0
    with pytest.raises(DataError, match="fitted to tags alone"):
        fitted().predict_label_proba(TOKENS)


def test_the_baseline_is_each_words_commonest_tag():
    found = fitted().evaluate([["Ana", "hello", "unheard"]], [["B-name", "O", "B-name"]])
    (row,) = found.baselines.values()
    assert row["accuracy"] == pytest.approx(2 / 3)  # the commonest tag of all is O
    assert found.metrics["unknown_accuracy"] in (0.0, 1.0)


@pytest.mark.slow
def test_the_temperature_leaves_the_tags_and_raises_the_likelihood():
    plain = tagger(calibrate=False, text={"casing": True}).fit(TOKENS, TAGS)
    assert plain.temperature_ == 1.0
    assert fitted().temperature_ != 1.0
    assert plain.predict(TOKENS) == fitted().predict(TOKENS)


@pytest.mark.parametrize("builder", ["stacked_rnn", "cnn_lstm", "bilstm_cnn_crf"])
def test_what_the_scheme_forbids_is_never_predicted(builder):
    model = {"builder": builder, "units": 4, "embedding": {"width": 4}}
    if builder == "bilstm_cnn_crf":
        model["decoder"] = "softmax"
    found = prepared(tagger(model=model), TOKENS, TAGS)
    bad = forbidden(found.tags_.tolist(), scheme_of(found.tags_))
    place = {tag: index for index, tag in enumerate(found.tags_)}
    rng = np.random.default_rng(0)
    texts = [list(rng.choice(["Ana", "met", "Zo", "?"], 12)) for _ in range(20)]
    for tags in found.predict(texts):
        ids = [place[tag] for tag in tags]
        assert not bad.start[ids[0]]
        assert not bad.transitions[ids[:-1], ids[1:]].any()


def test_plain_tags_are_scored_by_accuracy_and_make_no_spans():
    tags = [["UP" if word.istitle() else "low" for word in words] for words in TOKENS]
    found = prepared(tagger(), TOKENS, tags)
    assert found.evaluate(TOKENS, tags).primary == "accuracy"
    with pytest.raises(DataError, match="stand for no spans"):
        found.predict_spans(TOKENS)


@pytest.mark.slow
def test_bioes_tags():
    tags = [["S-name" if tag == "B-name" else tag for tag in each] for each in TAGS]
    for each in tags[::6]:
        each[:2] = ["B-name", "E-name"]
    found = tagger().fit(TOKENS, tags)
    assert found.score(TOKENS, tags) == 1.0
    assert [span[1:4] for span in found.predict_spans([TOKENS[0]])[0]] == [
        ("name", 0, 2),
        ("name", 3, 4),
    ]


@pytest.mark.slow
def test_characters_are_tokens_for_languages_without_blanks():
    texts = ["我爱北京", "他去上海", "北京很大", "你好"] * 6
    tags = [["O", "O", "B", "I"], ["O", "O", "B", "I"], ["B", "I", "O", "O"], ["O", "O"]] * 6
    tags = [[tag if tag == "O" else f"{tag}-place" for tag in each] for each in tags]
    found = tagger(text={"tokenizer": "characters", "characters": False}).fit(texts, tags)
    (first,) = found.predict_spans(["我爱北京"])
    assert [(span.text, span.start, span.end) for span in first] == [("北京", 2, 4)]


def test_pretrained_vectors_give_words_their_place(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("ana 1 2\nbo 3 4\nelsewhere 5 6\n", "utf-8")
    frozen = {**SMALL, "embedding": {"frozen": True}}
    found = prepared(tagger(text={"vectors": str(path)}, model=frozen), TOKENS, TAGS)
    table = found.servable_.get_layer("bilstm_cnn_crf").get_layer("words_embedding")
    rows = np.asarray(table.embeddings)[found.vocabulary_.places(["ana", "bo", "elsewhere"])]
    np.testing.assert_array_equal(rows, [[1, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([], [], "X: is empty"),
        ([[1.0]], [["O"]], "X: text 0, token 0: expected a string, got 1.0"),
        ("Ana", [["O"]], "got one string"),
        ([["Ana"], "Bo"], [["O"], ["O"]], "text 1: expected a list of tokens, got 'Bo'"),
        ([["Ana", ""]], [["O", "O"]], "text 0, token 1: is empty"),
        ([["Ana"]], None, "y: expected a list of tags for each text, got None"),
        ([["Ana"]], [["O"], ["O"]], "y: has 2 targets for 1 texts"),
        ([["Ana"]], [["O", "O"]], r"y: text 0: has 2 tags for 1 tokens \('Ana'\)"),
        ([["Ana"]], ["O"], "y: text 0: expected a list of tags, got 'O'"),
        ([["Ana"]], [[3]], "y: text 0, token 0: expected a tag as text, got 3"),
        ([["Ana"], ["Bo"]], [(["O"], "a"), ["O"]], "text 1: has no label beside its tags"),
        ([["Ana"]], [(["O"], 3)], "y: text 0: expected a label as text, got 3"),
        ([[], []], [[], []], "no text has a token"),
    ],
)
def test_data_that_does_not_hold_is_one_clear_error(X, y, message):
    with pytest.raises(DataError, match=message):
        tagger().fit(X, y)


def test_impossible_taggings_are_repaired_and_counted_or_refused():
    wrong = [list(tags) for tags in TAGS]
    wrong[2][0] = "I-name"
    with pytest.warns(UserWarning, match=r"y: text 2, token 0: 'I-name' cannot .* 1 tag repaired"):
        quick()._prepare(TOKENS, wrong, None)
    with pytest.raises(DataError, match=r"y: text 2, token 0: 'I-name' cannot stand there in BIO"):
        quick(strict=True)._prepare(TOKENS, wrong, None)


def test_a_tag_never_seen_in_training_is_one_warning_in_validation_and_an_error_in_the_score():
    held = ([["Ana"], ["Bo"]], [["B-name"], ["B-pet"]])
    with pytest.warns(UserWarning, match=r"validation y: text 1 \('Bo'\): 'B-pet' does not"):
        _, valid = quick()._prepare(TOKENS, TAGS, held)
    assert len(valid.sequences) == 1
    assert fitted().evaluate(*held).metrics["recall"] == 0.5


@pytest.mark.slow
def test_one_misspelt_tag_is_said_to_make_plain_tags_of_all():
    tags = [list(each) for each in TAGS]
    tags[2][1] = "B_name"
    with pytest.warns(UserWarning, match=r"y: text 2, token 1: 'B_name' is neither O nor a prefix"):
        strayed = quick().fit(TOKENS, tags)
    with pytest.raises(DataError, match="the tags stand for no spans"):
        strayed.predict_spans(TOKENS)
    with pytest.raises(DataError, match=r"truth, sequence 0: expected tags of a span scheme"):
        fitted().score([["Bo"]], [["B_name"]])


@pytest.mark.slow
def test_labels_are_scored_where_they_were_learned():
    with pytest.raises(DataError, match="the training texts had none with a label"):
        fitted().score(TOKENS, list(zip(TAGS, LABELS, strict=True)))
    with pytest.raises(DataError, match="the training texts had some with a label"):
        joint().score(TOKENS, TAGS)
    with pytest.raises(DataError, match=r"y: text 0, token 0|y: text 0: expected a pair"):
        quick().fit(TOKENS, [[tags, "met"] for tags in TAGS])


def test_one_label_is_nothing_to_learn():
    with pytest.raises(DataError, match="y: has the label 'met' alone; at least 2 are needed"):
        quick().fit(TOKENS, [(tags, "met") for tags in TAGS])


def test_validation_texts_have_tokens():
    with pytest.raises(DataError, match="validation X: no text has a token in it"):
        quick().fit(TOKENS, TAGS, validation_data=([[], []], [[], []]))


@pytest.mark.slow
def test_without_words_there_is_no_baseline_of_words(tmp_path):
    found = quick(text={"words": False}).fit(TOKENS, TAGS).evaluate(TOKENS, TAGS)
    assert not found.baselines
    assert "unknown_accuracy" not in found.metrics
    (tmp_path / "v.txt").write_text("Bo 1 2\n")
    text = {"words": False, "vectors": str(tmp_path / "v.txt")}
    with pytest.raises(RecipeError, match=r"task\.text\.vectors: are those of words"):
        quick(text=text).fit(TOKENS, TAGS)


def test_questions_that_cannot_be_answered():
    with pytest.raises(NotFittedError):
        tagger().predict(TOKENS)
    with pytest.raises(DataError, match=r"n: expected a whole number above 0, got 0"):
        fitted().predict_nbest(TOKENS, 0)
    with pytest.raises(RecipeError, match=r"task\.text\.tokeniser: unknown .*'tokenizer'"):
        tagger(text={"tokeniser": "words"}).fit(TOKENS, TAGS)
    with pytest.raises(RecipeError, match=r"model\.embedding\.widht: unknown .*'width'"):
        tagger(model={"embedding": {"widht": 3}}).fit(TOKENS, TAGS)
    with pytest.raises(RecipeError, match=r"training\.loss: tagging always takes the likelihood"):
        tagger(training={"loss": "mae"}).fit(TOKENS, TAGS)
    with pytest.raises(RecipeError, match=r"training\.label_smoothing: is for tags .* softmax"):
        tagger(training={"label_smoothing": 0.1}).fit(TOKENS, TAGS)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_tagger():
    one, other = (quick().fit(TOKENS, TAGS).predict_proba(TOKENS) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_scikit_learn_can_split_and_clone_it():
    rows, held = next(KFold(3).split(TOKENS))
    found = clone(quick()).fit([TOKENS[row] for row in rows], [TAGS[row] for row in rows])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0 <= found.score([TOKENS[row] for row in held], [TAGS[row] for row in held]) <= 1


@pytest.mark.slow
def test_tags_that_are_chosen_each_by_itself_come_back_from_a_pickle():
    """Though the chain that decodes them is no part of the network."""
    texts, tags = [["Ana", "left"], ["we", "met", "Bo"]], [["B-n", "O"], ["O", "O", "B-n"]]
    tagger = SequenceTagger(
        model={"units": 4, "decoder": "softmax", "embedding": {"width": 4}},
        training={"epochs": 1},
        random_state=0,
    ).fit(texts * 8, tags * 8)
    again = pickle.loads(pickle.dumps(tagger))
    assert again.temperature_ == tagger.temperature_
    for one, other in zip(again.predict_proba(texts), tagger.predict_proba(texts), strict=True):
        np.testing.assert_array_equal(one, other)
